// SPDX-License-Identifier: Apache-2.0
// What the columns of inputs, their categories and the classes of outputs are called: kept for
// callers that bring data by name, and for files. No number depends on it.
#include <algorithm>
#include <numeric>
#include <string_view>

#include "engine/input/categories.hpp"
#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"
#include "model/utf8.hpp"

namespace chainrule {
namespace {

/// Throws Error unless there are no names or `count` different ones.
void check_names(const std::string& what, const std::vector<std::string>& names,
                 std::int64_t count) {
  if (names.empty()) return;
  if (static_cast<std::int64_t>(names.size()) != count)
    throw Error(what + " must have " + std::to_string(count) + " names, got " +
                std::to_string(names.size()));
  for (std::size_t i = 0; i < names.size(); ++i)
    model::check_text(what + "[" + std::to_string(i) + "]", names[i]);
  std::vector<std::string_view> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    throw Error(what + " must differ from each other, got '" + std::string(*twice) + "' twice");
}

/// What an input or an output is called in errors: its name where there are others.
std::string name_of_part(const char* kind, const Graph& graph,
                         const std::vector<std::int64_t>& nodes, std::int64_t part) {
  if (nodes.size() == 1) return kind;
  return std::string(kind) + "['" + graph.node(nodes[static_cast<std::size_t>(part)]).name + "']";
}

/// Number `part` of what is there for each `what`.
template <class Parts>
auto& part_of(Parts& parts, std::int64_t part, const std::string& what) {
  const auto count = static_cast<std::int64_t>(parts.size());
  if (part < 0 || part >= count)
    throw Error(what + " is " + std::to_string(part) + "; the network has " +
                std::to_string(count) + " " + what + (count == 1 ? "" : "s"));
  return parts[static_cast<std::size_t>(part)];
}

}  // namespace

template <class T>
const std::vector<std::string>& Network<T>::feature_names(std::int64_t input) const {
  return part_of(state_->feature_names, input, "input");
}

template <class T>
void Network<T>::set_feature_names(std::vector<std::string> names, std::int64_t input) {
  const engine::Changing guard(*state_);
  const Graph& graph = state_->graph;
  const Node& node = graph.node(part_of(graph.inputs(), input, "input"));
  check_names(name_of_part("feature_names", graph, graph.inputs(), input), names,
              node.shape.size());
  std::vector<std::string>& kept = part_of(state_->feature_names, input, "input");
  kept = std::move(names);
}

template <class T>
std::int64_t Network<T>::classes(std::int64_t output) const {
  const Graph& graph = state_->graph;
  const std::int64_t columns =
      graph.node(part_of(graph.outputs(), output, "output")).shape.columns();
  return columns == 1 ? 2 : columns;
}

template <class T>
const std::vector<std::string>& Network<T>::class_names(std::int64_t output) const {
  return part_of(state_->class_names, output, "output");
}

template <class T>
void Network<T>::set_class_names(std::vector<std::string> names, std::int64_t output) {
  const engine::Changing guard(*state_);
  const std::int64_t count = classes(output);
  const Graph& graph = state_->graph;
  check_names(name_of_part("class_names", graph, graph.outputs(), output), names, count);
  std::vector<std::string>& kept = part_of(state_->class_names, output, "output");
  kept = std::move(names);
}

template <class T>
const std::vector<std::vector<std::string>>& Network<T>::category_names() const {
  return state_->category_names;
}

template <class T>
void Network<T>::set_category_names(std::vector<std::vector<std::string>> names) {
  const engine::Changing guard(*state_);
  const bool any =
      std::any_of(names.begin(), names.end(), [](const auto& n) { return !n.empty(); });
  if (!names.empty() && static_cast<std::int64_t>(names.size()) != state_->inputs)
    throw Error("category_names must have a list for each of " + std::to_string(state_->inputs) +
                " columns, got " + std::to_string(names.size()));
  if (!any) names.clear();
  const std::vector<std::int64_t> known = engine::known_categories(state_->graph);
  std::vector<std::vector<std::int64_t>> orders(names.size());
  for (std::size_t j = 0; j < names.size(); ++j) {
    const std::string what = "category_names[" + std::to_string(j) + "]";
    if (!names[j].empty() && (known.empty() || known[j] == 0))
      throw Error(what + " must be empty: no layer reads categories from that column");
    check_names(what, names[j], names[j].empty() ? 0 : known[j]);
    orders[j].resize(names[j].size());
    std::iota(orders[j].begin(), orders[j].end(), std::int64_t{0});
    std::sort(orders[j].begin(), orders[j].end(), [&](std::int64_t a, std::int64_t b) {
      return names[j][static_cast<std::size_t>(a)] < names[j][static_cast<std::size_t>(b)];
    });
  }
  state_->category_names = std::move(names);
  state_->category_orders = std::move(orders);
}

template <class T>
std::int64_t Network<T>::category_code(std::int64_t column, std::string_view name) const {
  const auto j = static_cast<std::size_t>(column);
  if (column < 0 || j >= state_->category_names.size() || state_->category_names[j].empty())
    throw Error("column " + std::to_string(column) + " of x has no category names");
  const std::vector<std::string>& names = state_->category_names[j];
  const std::vector<std::int64_t>& order = state_->category_orders[j];
  const auto found = std::lower_bound(order.begin(), order.end(), name,
                                      [&](std::int64_t code, std::string_view n) {
                                        return n.compare(names[static_cast<std::size_t>(code)]) > 0;
                                      });
  return found != order.end() && names[static_cast<std::size_t>(*found)] == name ? *found : -1;
}

#define CHAINRULE_MEMBERS(T)                                                                \
  template const std::vector<std::string>& Network<T>::feature_names(std::int64_t) const;   \
  template void Network<T>::set_feature_names(std::vector<std::string>, std::int64_t);      \
  template std::int64_t Network<T>::classes(std::int64_t) const;                            \
  template const std::vector<std::string>& Network<T>::class_names(std::int64_t) const;     \
  template void Network<T>::set_class_names(std::vector<std::string>, std::int64_t);        \
  template const std::vector<std::vector<std::string>>& Network<T>::category_names() const; \
  template void Network<T>::set_category_names(std::vector<std::vector<std::string>>);      \
  template std::int64_t Network<T>::category_code(std::int64_t, std::string_view) const;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

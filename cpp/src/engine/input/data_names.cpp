// SPDX-License-Identifier: Apache-2.0
// What the columns of x, their categories and the classes are called: kept for callers that bring
// data by name, and for files. No number depends on it.
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

}  // namespace

template <class T>
const std::vector<std::string>& Network<T>::feature_names() const {
  return state_->feature_names;
}

template <class T>
void Network<T>::set_feature_names(std::vector<std::string> names) {
  const engine::Changing guard(*state_);
  check_names("feature_names", names, state_->inputs);
  state_->feature_names = std::move(names);
}

template <class T>
std::int64_t Network<T>::classes() const {
  return state_->outputs == 1 ? 2 : state_->outputs;
}

template <class T>
const std::vector<std::string>& Network<T>::class_names() const {
  return state_->class_names;
}

template <class T>
void Network<T>::set_class_names(std::vector<std::string> names) {
  const engine::Changing guard(*state_);
  check_names("class_names", names, classes());
  state_->class_names = std::move(names);
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
                                        return names[static_cast<std::size_t>(code)] < n;
                                      });
  return found != order.end() && names[static_cast<std::size_t>(*found)] == name ? *found : -1;
}

#define CHAINRULE_MEMBERS(T)                                                                \
  template const std::vector<std::string>& Network<T>::feature_names() const;               \
  template void Network<T>::set_feature_names(std::vector<std::string>);                    \
  template std::int64_t Network<T>::classes() const;                                        \
  template const std::vector<std::string>& Network<T>::class_names() const;                 \
  template void Network<T>::set_class_names(std::vector<std::string>);                      \
  template const std::vector<std::vector<std::string>>& Network<T>::category_names() const; \
  template void Network<T>::set_category_names(std::vector<std::vector<std::string>>);      \
  template std::int64_t Network<T>::category_code(std::int64_t, std::string_view) const;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
// One arena holds parameter after parameter, each in panels. Row-major copies are made only where
// values go in or out.
#include "engine/parameters.hpp"

#include <algorithm>

#include "chainrule/error.hpp"
#include "chainrule/names.hpp"
#include "engine/instantiate.hpp"

namespace chainrule::engine {
namespace {

/// Calls visit(arena index, row-major index) for every element.
template <class Visit>
void for_each_element(const Parameter& p, Visit visit) {
  const kernels::PanelShape& s = p.shape;
  for (std::int64_t column = 0; column < s.columns; ++column) {
    const std::int64_t panel = column / s.panel;
    const std::int64_t first = p.offset + s.offset(panel) + column % s.panel;
    for (std::int64_t row = 0; row < s.rows; ++row)
      visit(first + row * s.width(panel), row * s.columns + column);
  }
}

}  // namespace

// A parameter of shape (rows, columns) takes rows x padded columns numbers; one of shape (columns)
// is a matrix of one row. Shared nodes use those of their owner.
template <class T>
Parameters<T>::Parameters(const Graph& graph, std::int64_t panel) {
  MemberCount count;
  for (const Node& node : graph.nodes()) {
    if (!node.layer || node.shares >= 0) continue;
    for (const ParameterSpec& spec : (*node.layer)->parameters(graph.input_shapes(node))) {
      Parameter p;
      p.name = node.name + "." + spec.name;
      p.layer = node.layer_index;
      p.spec = spec;
      p.trained = spec.trainable && node.trainable;
      p.group = group_of(spec);
      p.random = count.next(node.member);
      const std::int64_t rows = spec.shape.positions();
      const std::int64_t columns = spec.shape.columns();
      p.shape = {rows, columns, panel, kernels::kRowAlignment<T>};
      p.offset = arena_size_;
      p.size = checked_product(rows, padded<T>(columns));
      arena_size_ += p.size;
      (void)checked_product(arena_size_, sizeof(T));
      list_.push_back(std::move(p));
    }
  }
  values = Buffer<T>(arena_size_);
}

template <class T>
std::size_t Parameters<T>::group_of(const ParameterSpec& spec) {
  const ParameterGroup group{spec.learning_rate_factor, spec.weight_decay_factor};
  if (group == ParameterGroup()) return 0;
  const auto found = std::find(groups_.begin(), groups_.end(), group);
  const auto index = static_cast<std::size_t>(found - groups_.begin());
  if (found == groups_.end()) groups_.push_back(group);
  return index + 1;
}

template <class T>
const Parameter* Parameters<T>::find(std::int64_t layer, const std::string& array) const {
  for (const Parameter& p : list_) {
    if (p.layer == layer && p.spec.name == array) return &p;
  }
  return nullptr;
}

template <class T>
const Parameter& Parameters<T>::named(const std::string& name) const {
  std::vector<std::string> valid;
  for (const Parameter& p : list_) {
    if (p.name == name) return p;
    valid.push_back(p.name);
  }
  throw Error(unknown_name("parameter", name, valid));
}

// rows: inputs x units, row-major; arena: [units / panel][inputs][panel], padded with zeros.
template <class T>
void Parameters<T>::pack(const Parameter& p, const T* rows, T* arena) {
  for_each_element(p, [&](std::int64_t to, std::int64_t from) { arena[to] = rows[from]; });
}

// The reverse. Padding is left out.
template <class T>
void Parameters<T>::unpack(const Parameter& p, const T* arena, T* rows) {
  for_each_element(p, [&](std::int64_t from, std::int64_t to) { rows[to] = arena[from]; });
}

// The mean of a first Normalization in double, of which the parameter is the rounding.
template <class T>
void Parameters<T>::set_exact_mean(std::vector<double> exact) {
  const Parameter* mean = find(0, "mean");
  if (!mean) mean = find(0, "center");
  const auto rounds = [&](double e, T m) { return static_cast<T>(e) == m; };
  const auto size = static_cast<std::int64_t>(exact.size());
  if (size > 0 && (!mean || size != mean->shape.columns ||
                   !std::equal(exact.begin(), exact.end(), at(mean), rounds)))
    throw Error("the exact mean is not that of a first normalization layer");
  exact_mean_.swap(exact);
}

// Numbers are drawn in double, row-major, from a stream of their own for each parameter: they
// depend on the seed and the place in the list alone, among the parameters of a member and of none,
// not on panels or on what other layers draw.
template <class T>
void Parameters<T>::initialize(std::uint64_t seed) {
  std::vector<double> wide;
  std::vector<T> rows;
  for (const Parameter& p : list_) {
    const auto size = static_cast<std::size_t>(p.spec.shape.size());
    wide.assign(size, 0.0);
    p.spec.initializer.fill(wide.data(), p.shape.rows, p.shape.columns, seed + p.random.offset,
                            p.random.number, p.spec.fan_out);
    for (std::int64_t i = 0; i < p.shape.rows; ++i)
      std::fill(wide.begin() + i * p.shape.columns + p.spec.ones_begin,
                wide.begin() + i * p.shape.columns + p.spec.ones_end, 1.0);
    rows.assign(wide.begin(), wide.end());
    pack(p, rows.data(), values.data());
  }
}

// Only which arrays are updated changes; where they lie stays.
template <class T>
void Parameters<T>::set_trainable(const Graph& graph) {
  for (Parameter& p : list_)
    p.trained = p.spec.trainable && graph.node(graph.layer_node_index(p.layer)).trainable;
}

#define CHAINRULE_MEMBERS(T) template class Parameters<T>;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "chainrule/graph.hpp"
#include "chainrule/layer.hpp"
#include "engine/buffer.hpp"
#include "engine/member_count.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// One array of a network: what it is and where it lies in the arena.
struct Parameter {
  std::string name;  // "<node>.<array>", such as "0.weight"
  std::int64_t layer = 0;
  ParameterSpec spec;
  kernels::PanelShape shape{};
  std::int64_t offset = 0;  // in the arena
  std::int64_t size = 0;    // with padding
  bool trained = true;      // by its nature, and its node is not frozen
  std::size_t group = 0;    // of arrays with the same factors; 0: both are 1
  RandomPlace random;       // of its first values
};

/// What optimizers make of the numbers that they are given, for some arrays.
struct ParameterGroup {
  double learning_rate_factor = 1.0;
  double weight_decay_factor = 1.0;
  bool operator==(const ParameterGroup&) const = default;
};

/// Whether this is what a Normalization subtracts.
inline bool is_center(const ParameterSpec& spec) {
  return spec.name == "mean" || spec.name == "center";
}

/// All arrays of a network in one arena of column panels. Optimizer state and gradients are arenas
/// of the same layout.
template <class T>
class Parameters {
 public:
  Parameters(const Graph& graph, std::int64_t panel);

  const std::vector<Parameter>& list() const { return list_; }
  /// Calls visit(where in the arena, how many, where among them all) for each array that is not
  /// trained, and returns how many numbers these have.
  template <class Visit>
  std::int64_t for_each_statistic(Visit visit) const {
    std::int64_t place = 0;
    for (const Parameter& p : list_) {
      if (p.spec.trainable) continue;
      visit(p.offset, p.size, place);
      place += p.size;
    }
    return place;
  }
  /// The array of that name of a layer; null where the layer has none.
  const Parameter* find(std::int64_t layer, const std::string& array) const;
  const Parameter& named(const std::string& name) const;  // throws Error
  std::int64_t arena_size() const { return arena_size_; }
  /// The groups with a factor that is not 1; the group of an array is one more than its index here.
  const std::vector<ParameterGroup>& groups() const { return groups_; }

  T* at(const Parameter* p) { return p ? values.data() + p->offset : nullptr; }
  const T* at(const Parameter* p) const { return p ? values.data() + p->offset : nullptr; }

  /// Between an arena and a row-major array.
  static void pack(const Parameter& p, const T* rows, T* arena);
  static void unpack(const Parameter& p, const T* arena, T* rows);

  /// The mean, or center, of a first Normalization layer with the digits that T has not; empty
  /// where it has no more.
  const std::vector<double>& exact_mean() const { return exact_mean_; }
  /// Throws Error unless the layer's mean is this, rounded.
  void set_exact_mean(std::vector<double> exact);

  /// Draws all values from their initialisers.
  void initialize(std::uint64_t seed);

  /// Takes over which nodes are trained.
  void set_trainable(const Graph& graph);

  Buffer<T> values;

 private:
  /// The number of the group with these factors, made if there is none.
  std::size_t group_of(const ParameterSpec& spec);

  std::vector<Parameter> list_;
  std::vector<ParameterGroup> groups_;
  std::int64_t arena_size_ = 0;
  std::vector<double> exact_mean_;
};

}  // namespace chainrule::engine

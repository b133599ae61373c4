// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "chainrule/optimizer.hpp"
#include "engine/buffer.hpp"
#include "engine/optimizer/nonzero_state_rows.hpp"
#include "engine/parameters.hpp"

namespace chainrule::engine {

/// What an optimizer remembers between steps: arenas in the parameters' layout, and the number of
/// steps.
template <class T>
struct OptimizerState {
  std::string kind;  // empty: none yet
  std::vector<std::string> names;
  std::vector<Buffer<T>> slots;
  std::int64_t steps = 0;
  std::optional<Optimizer> prepared_for;  // the last one
  NonzeroStateRows nonzero_state;

  /// Keeps the state when it is one that `optimizer` can go on from, else starts afresh. Of
  /// `tracked` it keeps a record of the rows whose state is not zero, where the optimizer has a use
  /// for it, while only sparse gradients of it arrive; null: gradients of all rows may. Where
  /// memory is short, everything stays as it was.
  void prepare(const Optimizer& optimizer, std::int64_t arena_size,
               const Parameter* tracked = nullptr);
  /// Whether it is one that `optimizer` can go on from.
  bool goes_on(const Optimizer& optimizer) const;
  /// Whether copy_from needs no memory.
  bool has_room(const OptimizerState& other) const {
    return kind == other.kind && names == other.names &&
           nonzero_state.has_room(other.nonzero_state);
  }
  /// Like assignment, but into the memory that is there already where it fits.
  void copy_from(const OptimizerState& other);

 private:
  static OptimizerState begun(const Optimizer& optimizer, std::int64_t arena_size);
  void track(const Optimizer& optimizer, const Parameter* p);
};

/// What a step does to entries of a parameter whose gradient is zero.
template <class T>
ZeroGradient zero_gradient(const Optimizer& optimizer, const ParameterSpec& spec);

}  // namespace chainrule::engine

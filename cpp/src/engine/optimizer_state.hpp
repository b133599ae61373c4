// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "chainrule/optimizer.hpp"
#include "engine/buffer.hpp"
#include "engine/parameters.hpp"
#include "engine/touched_rows.hpp"
#include "kernels/table.hpp"

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
  TouchedRows touched;

  /// Keeps the state when it is one that `optimizer` can go on from, else starts afresh. Of
  /// `tracked` it keeps a record of the touched rows, where the optimizer has a use for it, while
  /// only sparse gradients of it arrive; null: gradients of all rows may. Where memory is short,
  /// everything stays as it was.
  void prepare(const Optimizer& optimizer, std::int64_t arena_size,
               const Parameter* tracked = nullptr);
  /// Like assignment, but into the memory that is there already where it fits.
  void copy_from(const OptimizerState& other);
  T* slot(std::size_t i) { return i < slots.size() ? slots[i].data() : nullptr; }

 private:
  bool goes_on(const Optimizer& optimizer) const;
  static OptimizerState begun(const Optimizer& optimizer, std::int64_t arena_size);
  void track(const Optimizer& optimizer, const Parameter* p);
};

/// What a step does to entries whose gradient is zero, and to what is remembered of them.
enum class WithoutGradient {
  moves,
  rests_untouched,  // nothing, where all that is remembered of them is zero
  rests,            // nothing
};

template <class T>
WithoutGradient without_gradient(const Optimizer& optimizer, const ParameterSpec& spec);

/// The numbers of step `step` (counted from 1), worked out in double.
template <class T>
kernels::UpdateRule<T> make_rule(const Optimizer& optimizer, double learning_rate,
                                 std::int64_t step);

/// Neighbouring entries of a parameter.
struct Entries {
  std::int64_t first = 0;
  std::int64_t size = 0;
};

/// One optimizer step under way: applies its rule to any piece of the arena.
template <class T>
struct Update {
  const kernels::KernelTable<T>* kernels = nullptr;
  const Optimizer* optimizer = nullptr;
  kernels::UpdateRule<T> rule{};
  T* values = nullptr;
  T* slots[3] = {nullptr, nullptr, nullptr};
  TouchedRows* touched = nullptr;
  double gradient_scale = 1.0;  // what gradients are given times, a power of two

  /// Updates entries [first, first + size) of parameter p by their gradients g, and fetches those
  /// of a later call from memory.
  void apply(const Parameter& p, std::int64_t first, const T* g, std::int64_t size,
             Entries soon = {}) const {
    const std::int64_t at = p.offset + first;
    kernels->update(
        rule,
        {values + at, g, slots[0] ? slots[0] + at : nullptr, slots[1] ? slots[1] + at : nullptr,
         slots[2] ? slots[2] + at : nullptr, size, static_cast<T>(p.spec.l1 * gradient_scale),
         static_cast<T>(p.spec.l2 * gradient_scale), soon.first - first, soon.size});
  }
};

template <class T>
Update<T> make_update(const kernels::KernelTable<T>& kernels, const Optimizer& optimizer,
                      double learning_rate, Parameters<T>& parameters, OptimizerState<T>& state,
                      std::int64_t step);

}  // namespace chainrule::engine

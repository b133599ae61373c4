// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <limits>
#include <span>

#include "engine/optimizer/optimizer_state.hpp"
#include "engine/parameters.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// The largest factors of penalties on weights.
struct Penalties {
  double l1 = 0.0;
  double l2 = 0.0;
};

/// How large trained parameters and an optimizer's arrays can be at most, followed from step to
/// step by the formulas of kernels/optimizers/. It tells steps that cannot leave the range of T
/// from those that might, for which all has to be kept to go back to.
template <class T>
class StepBounds {
 public:
  /// By how much weights may grow so that the next forward pass cannot overflow.
  static constexpr double kMostGrowth = 1e6;

  /// Takes one step with gradients of at most `gradient`. Returns false where any number, also on
  /// the way, might not be finite; what was known is void then.
  /// The parameters of a group follow a rule of their own.
  bool step(const kernels::UpdateRule<T>& rule, const Penalties& penalties, double gradient,
            std::span<const kernels::UpdateRule<T>> group_rules = {});
  /// Looks at all numbers.
  void look(const kernels::KernelTable<T>& kernels, const Parameters<T>& parameters,
            const OptimizerState<T>& state);
  /// When numbers have changed otherwise.
  void forget() { known_ = false; }
  /// Whether all numbers are finite and not near the end of the range.
  bool known() const { return known_; }
  /// What no trained parameter is beyond.
  double value() const { return value_; }
  /// Whether trained parameters may by now be so much larger than when they were looked at that the
  /// next forward pass could overflow.
  bool may_have_grown() const { return value_ > kMostGrowth * std::max(1.0, seen_value_); }

 private:
  void follow_rule(const kernels::UpdateRule<T>& rule,
                   const kernels::GradientRule<T>& gradient_rule, const Penalties& penalties,
                   double gradient);

  bool known_ = false;
  double value_ = 0.0;
  double seen_value_ = 0.0;  // when all numbers were looked at
  double slots_[kMostOptimizerSlots] = {};
  double average_ratio_ = 0.0;  // see Bounds::over_average
};

/// The 2-norm of an arena or a part of it, which bounds each number; infinite or NaN where one is
/// not finite, or its square.
template <class T>
double norm_of(const kernels::KernelTable<T>& kernels, const T* values, std::int64_t size);

/// The first parameter that is trained and holds NaN or infinity, or whose part of the optimizer's
/// arrays does; null: none. Squares there may be infinite.
template <class T>
const Parameter* first_not_finite(const Parameters<T>& parameters, const OptimizerState<T>& state);

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
#include "engine/optimizer/step_bounds.hpp"

#include <algorithm>
#include <cmath>

#include "engine/instantiate.hpp"
#include "engine/norm.hpp"
#include "kernels/all_optimizers.hpp"  // made by CMake: includes each file of kernels/optimizers

namespace chainrule::engine {
namespace {

// What is below it in double is finite in T, whatever a few roundings have added.
template <class T>
constexpr double largest = sizeof(T) == 4 ? 1e37 : 1e300;

// More than roundings can add to a result in one step.
constexpr double rounding = 1.001;

// More than can be lost of an average of squares because each of its terms may be flushed to zero.
template <class T>
constexpr double flushed = double{std::numeric_limits<T>::min()} * 0x1p26;

/// Upper bounds of magnitudes, which a rule's `bound` takes through one step.
template <class T>
struct Bounds {
  double weight = 0.0;
  double gradient = 0.0;
  double* slots = nullptr;
  double& average_ratio;
  bool fit = true;

  /// Every number that a kernel works out goes through it.
  double within(double bound) {
    fit = fit && bound < largest<T>;
    return bound * rounding;
  }
  /// |number / (sqrt(s) + epsilon)|, where s holds at least `share` number^2. It divides a number
  /// by the root of its own square, unless that is so small that it is flushed to zero.
  double over_root(double number, double share, double epsilon) {
    const double smallest = 1.01 * std::sqrt(double{std::numeric_limits<T>::min()} / share);
    return std::min(number / epsilon, std::max(rounding / std::sqrt(share), smallest / epsilon));
  }
  /// |m / (sqrt(v) + epsilon)|, where m is bounded by `m` and has just moved to
  /// beta1 m + (1 - beta1) g, and v to beta2 v + (1 - beta2) g^2. With |m| <= r sqrt(v) before,
  /// Cauchy and Schwarz give |m| <= r' sqrt(v) behind it, r'^2 = beta1^2 r^2 / beta2
  /// + (1 - beta1)^2 / (1 - beta2); what is flushed to zero of v is less than `flushed`.
  double over_average(double m, double beta1, double beta2, double epsilon) {
    const double kept = (beta1 + 1e-6) * average_ratio;
    const double added = 1.0 - beta1 + 1e-6;
    average_ratio = rounding * std::sqrt(kept * kept / beta2 + added * added / (1.0 - beta2));
    const bool holds = 4.0 * double{std::numeric_limits<T>::min()} < flushed<T> * (1.0 - beta2);
    if (!holds || !(average_ratio < largest<T>)) average_ratio = largest<T>;
    return std::min(m / epsilon, average_ratio * (1.0 + std::sqrt(flushed<T>) / epsilon));
  }
  /// A weighted mean of two numbers, worked out as before + share (now - before): the larger of the
  /// two, but for what rounding the difference adds.
  double average(double before, double now) {
    return within(std::max(before, now) + 1e-6 * within(now + before));
  }
  double root(double number) { return std::sqrt(number); }
  double larger(double a, double b) { return std::max(a, b); }
  double magnitude(double number) { return std::abs(number); }
};

/// The largest |m| / sqrt(v) of a state that keeps averages of gradients and of their squares.
template <class T>
double average_ratio_of(const OptimizerState<T>& state) {
  const auto slot = [&](const char* name) -> const Buffer<T>* {
    for (std::size_t i = 0; i < state.names.size(); ++i)
      if (state.names[i] == name) return &state.slots[i];
    return nullptr;
  };
  const Buffer<T>* m = slot("exp_avg");
  const Buffer<T>* v = slot("exp_avg_sq");
  if (!m || !v) return 0.0;
  double square = 0.0;
  for (std::int64_t i = 0; i < m->size(); ++i) {
    const double a = m->data()[i];
    square = std::max(square, a * a / (double{v->data()[i]} + flushed<T>));
  }
  const double ratio = rounding * std::sqrt(square);
  return ratio < largest<T> ? ratio : largest<T>;
}

/// Whether the test holds for all entries of a parameter, without the padding.
template <class T, class Test>
bool all_of(const Parameter& p, const Buffer<T>& arena, const Test& test) {
  const kernels::PanelShape& s = p.shape;
  const T* row = arena.data() + p.offset;
  for (std::int64_t first = 0; first < s.columns; first += s.panel) {
    const std::int64_t columns = std::min(s.panel, s.columns - first);
    const std::int64_t width = std::min(s.panel, padded<T>(columns));
    for (std::int64_t i = 0; i < s.rows; ++i, row += width)
      if (!std::all_of(row, row + columns, test)) return false;
  }
  return true;
}

template <class T, class R>
bool follow(const R& rule, Bounds<T>& b) {
  // A smaller one is flushed to zero.
  if constexpr (requires { rule.epsilon; })
    if (rule.epsilon < std::numeric_limits<T>::min()) b.fit = false;
  rule.bound(b);
  return true;
}

template <class T, class... All>
void follow_kind(const kernels::UpdateRule<T>& rule, Bounds<T>& b, OptimizerTable<All...>) {
  (void)((rule.kind == All::row.kind && follow(rule.template numbers_as<Rule<All, T>>(), b)) ||
         ...);
}

}  // namespace

// Moves all bounds on by one step: those of the rule and of each group's, from the same bounds
// before, of which the larger ones hold. gradient: a bound of every number in the gradients
template <class T>
bool StepBounds<T>::step(const kernels::UpdateRule<T>& rule, const Penalties& penalties,
                         double gradient, std::span<const kernels::UpdateRule<T>> group_rules) {
  if (!known_) return false;
  const StepBounds before = *this;
  follow_rule(rule, rule.gradient, penalties, gradient);
  for (const kernels::UpdateRule<T>& group_rule : group_rules) {
    StepBounds group = before;
    group.follow_rule(group_rule, rule.gradient, penalties, gradient);
    value_ = std::max(value_, group.value_);
    for (int i = 0; i < kMostOptimizerSlots; ++i) slots_[i] = std::max(slots_[i], group.slots_[i]);
    average_ratio_ = std::max(average_ratio_, group.average_ratio_);
    known_ = known_ && group.known_;
  }
  return known_;
}

template <class T>
void StepBounds<T>::follow_rule(const kernels::UpdateRule<T>& rule,
                                const kernels::GradientRule<T>& gradient_rule,
                                const Penalties& penalties, double gradient) {
  Bounds<T> b{.weight = value_, .slots = slots_, .average_ratio = average_ratio_};
  b.gradient =
      b.within(b.within(gradient) + b.within(penalties.l1) + b.within(2.0 * penalties.l2) * value_);
  if (gradient_rule.clip_value != T(0))
    b.gradient = std::min(b.gradient, double{gradient_rule.clip_value});
  follow_kind(rule, b, Optimizers());
  value_ = b.weight;
  known_ = b.fit;
}

// Takes the bounds from the numbers: the 2-norm of an array bounds each of its entries.
template <class T>
void StepBounds<T>::look(const kernels::KernelTable<T>& kernels, const Parameters<T>& parameters,
                         const OptimizerState<T>& state) {
  value_ = 0.0;
  std::fill(std::begin(slots_), std::end(slots_), 0.0);
  known_ = true;
  const auto bound = [&](double& slot, const T* values, std::int64_t size) {
    const double norm = norm_of(kernels, values, size);
    known_ = known_ && norm < largest<T>;
    slot = std::max(slot, norm);
  };
  for (const Parameter& p : parameters.list())
    if (p.spec.trainable) bound(value_, parameters.at(&p), p.size);
  for (std::size_t i = 0; i < state.slots.size(); ++i)
    bound(slots_[i], state.slots[i].data(), state.slots[i].size());
  seen_value_ = value_;
  average_ratio_ = average_ratio_of(state);
}

template <class T>
double norm_of(const kernels::KernelTable<T>& kernels, const T* values, std::int64_t size) {
  return norm_from<T>(kernels.sum_of_squares(values, size));
}

// Averages of squares may be infinite: a gradient divided by their root is then 0.
template <class T>
const Parameter* first_not_finite(const Parameters<T>& parameters, const OptimizerState<T>& state) {
  for (const Parameter& p : parameters.list()) {
    if (!p.spec.trainable) continue;
    if (!all_of(p, parameters.values, [](T v) { return std::isfinite(v); })) return &p;
    for (std::size_t i = 0; i < state.slots.size(); ++i) {
      const bool squares = Optimizer::keeps_squares(state.names[i]);
      const auto is_valid = [&](T v) { return std::isfinite(v) || (squares && !std::isnan(v)); };
      if (!all_of(p, state.slots[i], is_valid)) return &p;
    }
  }
  return nullptr;
}

#define CHAINRULE_MEMBERS(T)                                                       \
  template class StepBounds<T>;                                                    \
  template double norm_of(const kernels::KernelTable<T>&, const T*, std::int64_t); \
  template const Parameter* first_not_finite(const Parameters<T>&, const OptimizerState<T>&);
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
#include "engine/optimizer/step_bounds.hpp"

#include <algorithm>
#include <cmath>

#include "engine/instantiate.hpp"

namespace chainrule::engine {
namespace {

// What is below it in double is finite in T, whatever a few roundings have added.
template <class T>
constexpr double largest = sizeof(T) == 4 ? 1e37 : 1e300;

// More than roundings can add to a result in one step.
constexpr double rounding = 1.001;

/// A bound of |e| / (sqrt(s) + epsilon), where s holds at least `share` e^2. It divides a number by
/// the root of its own square, unless that is so small that it is flushed to zero.
template <class T>
double over_root(double e, double slice, double epsilon) {
  const double smallest = 1.01 * std::sqrt(double{std::numeric_limits<T>::min()} / slice);
  return std::min(e / epsilon, std::max(rounding / std::sqrt(slice), smallest / epsilon));
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

}  // namespace

template <class T>
bool StepBounds<T>::follow(const kernels::UpdateRule<T>& rule, double l1, double l2,
                           double gradient) {
  using Kind = kernels::OptimizerKind;
  bool fits = true;
  // Every number that a kernel works out goes through it.
  const auto within = [&](double bound) {
    fits = fits && bound < largest<T>;
    return bound * rounding;
  };
  double& w = value_;
  const double rate = within(rule.learning_rate);
  const double epsilon = rule.epsilon;
  // A smaller one is flushed to zero.
  const bool divides = rule.kind != Kind::sgd && rule.kind != Kind::lion;
  if (divides && epsilon < double{std::numeric_limits<T>::min()}) return false;

  double g = within(within(gradient) + within(l1) + within(2.0 * l2) * w);
  if (rule.clip_value != T(0)) g = std::min(g, double{rule.clip_value});
  // adamw and lion let weights decay by themselves.
  const bool decoupled = rule.kind == Kind::adamw || rule.kind == Kind::lion;
  const double decay = std::abs(double{rule.decay_factor});
  const double e = decoupled ? g : within(g + within(rule.weight_decay) * w);
  switch (rule.kind) {
    case Kind::sgd: {
      double direction = e;
      if (rule.has_momentum) {
        double& m = slots_[0];
        m = rule.first_step ? e : within(rule.momentum * m + rule.one_minus_dampening * e);
        direction = rule.nesterov ? within(e + rule.momentum * m) : m;
      }
      w = within(w + rate * direction);
      break;
    }
    case Kind::adagrad: {
      double& s = slots_[0];
      s = within(s + within(e * e));
      w = within(w + within(rule.step_size) * within(over_root<T>(e, 1.0, epsilon)));
      break;
    }
    case Kind::rmsprop: {
      double& s = slots_[0];
      s = within(rule.rho * s + rule.one_minus_rho * within(e * e));
      double direction = over_root<T>(e, rule.one_minus_rho, epsilon);
      if (rule.centered) {
        double& a = slots_[rule.has_momentum ? 2 : 1];
        a = within(a + rule.one_minus_rho * within(e + a));
        within(a * a);
        direction = e / epsilon;
      }
      direction = within(direction);
      if (rule.has_momentum) direction = slots_[1] = within(rule.momentum * slots_[1] + direction);
      w = within(w + rate * direction);
      break;
    }
    case Kind::adam:
    case Kind::adamw: {
      if (decoupled) w = within(w * decay);
      double& m = slots_[0];
      double& v = slots_[1];
      const double before = m;
      // The larger of the two, but for what rounding the difference adds.
      m = within(std::max(before, e) + 1e-6 * within(e + before));
      v = within(rule.beta2 * v + rule.one_minus_beta2 * within(e * e));
      if (rule.amsgrad) slots_[2] = std::max(slots_[2], v);
      within(std::sqrt(rule.amsgrad ? slots_[2] : v) * within(rule.inverse_root_correction));
      w = within(w + within(rule.step_size) * within(m / epsilon));
      break;
    }
    case Kind::adadelta: {
      double& s = slots_[0];
      double& a = slots_[1];
      s = within(rule.rho * s + rule.one_minus_rho * within(e * e));
      const double root = std::sqrt(a + epsilon);
      within(root / std::sqrt(epsilon));
      // Here epsilon stands under the root.
      const double d = within(root * over_root<T>(e, rule.one_minus_rho, std::sqrt(epsilon)));
      a = within(rule.rho * a + rule.one_minus_rho * within(d * d));
      w = within(w + rate * d);
      break;
    }
    case Kind::lion: {
      double& m = slots_[0];
      within(rule.beta1 * m + rule.one_minus_beta1 * e);
      w = within(w * decay + rate);
      m = within(rule.beta2 * m + rule.one_minus_beta2 * e);
      break;
    }
  }
  return fits;
}

template <class T>
bool StepBounds<T>::step(const kernels::UpdateRule<T>& rule, double l1, double l2,
                         double gradient) {
  known_ = known_ && follow(rule, l1, l2, gradient);
  return known_;
}

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
}

template <class T>
double norm_of(const kernels::KernelTable<T>& kernels, const T* values, std::int64_t size) {
  // A sum never falls, so it is at least each square; those of smaller numbers are flushed to zero.
  const double flushed = std::sqrt(double{std::numeric_limits<T>::min()});
  return rounding * std::sqrt(double{kernels.sum_of_squares(values, size)}) + flushed;
}

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

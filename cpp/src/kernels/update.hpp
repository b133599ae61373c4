// SPDX-License-Identifier: Apache-2.0
// Optimizer updates: one struct per rule, PyTorch's torch.optim formulas in its order of
// operations.
#pragma once

#include "kernels/loss.hpp"
#include "kernels/multiply.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// The gradient with its penalties, clipped: what the optimizer sees before weight decay.
template <class T>
CHAINRULE_INLINE Vec<T> penalized(Vec<T> w, Vec<T> g, T l1, T l2) {
  if (l1 != T(0)) g += l1 * sign<T>(w);
  if (l2 != T(0)) g += T(2) * l2 * w;
  return g;
}

template <class T>
CHAINRULE_INLINE Vec<T> clipped(const UpdateRule<T>& rule, Vec<T> g) {
  // The order of the operands is chosen so that NaN propagates.
  if (rule.clip_value != T(0))
    g = max<T>(broadcast(-rule.clip_value), min<T>(broadcast(rule.clip_value), g));
  return g * rule.gradient_factor;
}

template <class T>
CHAINRULE_INLINE Vec<T> decayed(const UpdateRule<T>& rule, Vec<T> w, Vec<T> g) {
  return rule.weight_decay != T(0) ? g + rule.weight_decay * w : g;
}

/// Reference: Sutskever et al., "On the importance of initialization and momentum", ICML 2013.
template <class T>
struct Sgd {
  const UpdateRule<T>& r;
  CHAINRULE_INLINE Vec<T> step(Vec<T> w, Vec<T> g, T* momentum_buffer, T*, T*) const {
    g = decayed(r, w, g);
    if (r.has_momentum) {
      const Vec<T> m =
          r.first_step ? g : r.momentum * load(momentum_buffer) + r.one_minus_dampening * g;
      store(momentum_buffer, m);
      g = r.nesterov ? g + r.momentum * m : m;
    }
    return w - r.learning_rate * g;
  }
};

/// Reference: Duchi, Hazan and Singer, JMLR 12, 2011.
template <class T>
struct AdaGrad {
  const UpdateRule<T>& r;
  CHAINRULE_INLINE Vec<T> step(Vec<T> w, Vec<T> g, T* sum, T*, T*) const {
    g = decayed(r, w, g);
    const Vec<T> s = load(sum) + g * g;
    store(sum, s);
    return w - r.step_size * (g / (sqrt(s) + r.epsilon));
  }
};

/// Reference: Tieleman and Hinton, lecture 6.5, 2012; centred form: Graves, 2013.
template <class T>
struct RmsProp {
  const UpdateRule<T>& r;
  CHAINRULE_INLINE Vec<T> step(Vec<T> w, Vec<T> g, T* square_avg, T* slot1, T* slot2) const {
    g = decayed(r, w, g);
    const Vec<T> s = r.rho * load(square_avg) + r.one_minus_rho * (g * g);
    store(square_avg, s);
    Vec<T> root = s;
    if (r.centered) {
      T* grad_avg = r.has_momentum ? slot2 : slot1;
      const Vec<T> old = load(grad_avg);
      const Vec<T> a = old + r.one_minus_rho * (g - old);
      store(grad_avg, a);
      root = max<T>(s - a * a, Vec<T>{});
    }
    const Vec<T> d = g / (sqrt(root) + r.epsilon);
    if (!r.has_momentum) return w - r.learning_rate * d;
    const Vec<T> m = r.momentum * load(slot1) + d;
    store(slot1, m);
    return w - r.learning_rate * m;
  }
};

/// Adam: Kingma and Ba, ICLR 2015; amsgrad: Reddi et al., ICLR 2018; AdamW: Loshchilov and Hutter,
/// ICLR 2019.
template <class T>
struct Adam {
  const UpdateRule<T>& r;
  CHAINRULE_INLINE Vec<T> step(Vec<T> w, Vec<T> g, T* exp_avg, T* exp_avg_sq,
                               T* max_exp_avg_sq) const {
    if (r.kind == OptimizerKind::adamw) {
      w = w * r.decay_factor;
    } else {
      g = decayed(r, w, g);
    }
    const Vec<T> old = load(exp_avg);
    const Vec<T> m = old + r.one_minus_beta1 * (g - old);
    store(exp_avg, m);
    Vec<T> v = r.beta2 * load(exp_avg_sq) + r.one_minus_beta2 * (g * g);
    store(exp_avg_sq, v);
    if (r.amsgrad) {
      v = max<T>(load(max_exp_avg_sq), v);
      store(max_exp_avg_sq, v);
    }
    return w - r.step_size * (m / (sqrt(v) * r.inverse_root_correction + r.epsilon));
  }
};

/// Reference: Zeiler, "ADADELTA", 2012.
template <class T>
struct Adadelta {
  const UpdateRule<T>& r;
  CHAINRULE_INLINE Vec<T> step(Vec<T> w, Vec<T> g, T* square_avg, T* acc_delta, T*) const {
    g = decayed(r, w, g);
    const Vec<T> s = r.rho * load(square_avg) + r.one_minus_rho * (g * g);
    store(square_avg, s);
    const Vec<T> a = load(acc_delta);
    const Vec<T> d = sqrt(a + r.epsilon) / sqrt(s + r.epsilon) * g;
    store(acc_delta, r.rho * a + r.one_minus_rho * (d * d));
    return w - r.learning_rate * d;
  }
};

/// Reference: Chen et al., "Symbolic discovery of optimization algorithms", 2023.
template <class T>
struct Lion {
  const UpdateRule<T>& r;
  CHAINRULE_INLINE Vec<T> step(Vec<T> w, Vec<T> g, T* exp_avg, T*, T*) const {
    const Vec<T> m = load(exp_avg);
    w = w * r.decay_factor;
    w = w - r.learning_rate * sign<T>(r.beta1 * m + r.one_minus_beta1 * g);
    store(exp_avg, r.beta2 * m + r.one_minus_beta2 * g);
    return w;
  }
};

/// Prefetches into L2: what is updated before these entries fills L1.
template <class T>
CHAINRULE_INLINE void prefetch_entries(const UpdateArgs<T>& f, int64_t i) {
  // Prefetching out of range is harmless; forming the pointer is undefined behaviour.
  const uint64_t offset = uint64_t(f.prefetch_offset + i) * sizeof(T);
  const T* const arrays[] = {f.weight, f.slot0, f.slot1, f.slot2};
  for (const T* values : arrays) {
    if (values) __builtin_prefetch(reinterpret_cast<const char*>(uint64_t(values) + offset), 1, 2);
  }
}

template <class T, class Rule>
void update_all(const UpdateRule<T>& rule, const UpdateArgs<T>& f, Rule optimizer) {
  for (int64_t i = 0; i < f.size; i += kLanes<T>) {
    const Vec<T> w = load(f.weight + i);
    const Vec<T> g = clipped(rule, penalized(w, load(f.gradient + i), f.l1, f.l2));
    if (i < f.prefetch_size) prefetch_entries(f, i);
    T* slot0 = f.slot0 ? f.slot0 + i : nullptr;
    T* slot1 = f.slot1 ? f.slot1 + i : nullptr;
    T* slot2 = f.slot2 ? f.slot2 + i : nullptr;
    store(f.weight + i, optimizer.step(w, g, slot0, slot1, slot2));
  }
}

template <class T>
void update(const UpdateRule<T>& rule, const UpdateArgs<T>& f) {
  switch (rule.kind) {
    case OptimizerKind::sgd:
      return update_all(rule, f, Sgd<T>{rule});
    case OptimizerKind::adagrad:
      return update_all(rule, f, AdaGrad<T>{rule});
    case OptimizerKind::rmsprop:
      return update_all(rule, f, RmsProp<T>{rule});
    case OptimizerKind::adam:
    case OptimizerKind::adamw:
      return update_all(rule, f, Adam<T>{rule});
    case OptimizerKind::adadelta:
      return update_all(rule, f, Adadelta<T>{rule});
    case OptimizerKind::lion:
      return update_all(rule, f, Lion<T>{rule});
  }
}

template <class T>
void squared_column_sums(const UpdateRule<T>& rule, const PanelShape& shape, int64_t panel,
                         const T* weight, const T* g, T l1, T l2, T* sums) {
  const int64_t width = panel_width(shape, panel);
  for (int64_t j = 0; j < width; j += kLanes<T>) {
    Vec<T> s{};
    for (int64_t k = 0; k < shape.rows; ++k) {
      const Vec<T> v =
          clipped(rule, penalized(load(weight + k * width + j), load(g + k * width + j), l1, l2));
      s = fma(v, v, s);
    }
    store(sums + j, s);
  }
}

/// In no particular order, which must not decide about results.
template <class T>
T sum_of_squares(const T* x, int64_t size) {
  constexpr int64_t chains = 8;
  Vec<T> sums[chains]{};
  int64_t i = 0;
  for (; i + chains * kLanes<T> <= size; i += chains * kLanes<T>) {
    for (int64_t c = 0; c < chains; ++c) {
      const Vec<T> v = load(x + i + c * kLanes<T>);
      sums[c] = fma(v, v, sums[c]);
    }
  }
  for (; i < size; i += kLanes<T>) {
    const Vec<T> v = load(x + i);
    sums[0] = fma(v, v, sums[0]);
  }
  for (int64_t c = 1; c < chains; ++c) sums[0] += sums[c];
  alignas(64) T lanes[kLanes<T>];
  store(lanes, sums[0]);
  T sum = 0;
  for (int64_t j = 0; j < kLanes<T>; ++j) sum += lanes[j];
  return sum;
}

}  // namespace

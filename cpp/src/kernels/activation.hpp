// SPDX-License-Identifier: Apache-2.0
// Activations, forward and backward side by side. Rows are padded to whole vectors, so loops
// have no tails.
#pragma once

#include "kernels/math.hpp"
#include "kernels/reduce.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// Each struct: y = apply(z), and derivative(z, y) = dy/dz from whichever of the two is exact and
/// cheaper.
template <class T>
struct Linear {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const { return z; }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T>, Vec<T>) const { return broadcast(T(1)); }
};

template <class T>
struct Relu {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    return z < T(0) ? Vec<T>{} : z;
  }  // a NaN stays one
  CHAINRULE_INLINE Vec<T> derivative(Vec<T>, Vec<T> y) const {
    return select<T>(y > T(0), broadcast(T(1)), Vec<T>{});
  }
};

template <class T>
struct LeakyRelu {
  T negative_slope;
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    return select<T>(z > T(0), z, z * negative_slope);
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T>) const {
    return select<T>(z > T(0), broadcast(T(1)), broadcast(negative_slope));
  }
};

template <class T>
struct Elu {
  T alpha;
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    return select<T>(z > T(0), z, alpha * math::expm1<T>(min<T>(Vec<T>{}, z)));  // a NaN stays one
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T> y) const {
    return select<T>(z > T(0), broadcast(T(1)), y + alpha);
  }
};

/// From here on gelu, gelu_tanh and silu have the values and derivatives of their limits, to the
/// bit; further out their formulas multiply zero by infinity.
template <class T>
constexpr T kTail = T(1024);

/// z, not below -kTail; the order of the operands is chosen so that NaN propagates.
template <class T>
CHAINRULE_INLINE Vec<T> bounded_below(Vec<T> z) {
  return max<T>(broadcast(-kTail<T>), z);
}

/// z within -kTail .. kTail; the order of the operands is chosen so that NaN propagates.
template <class T>
CHAINRULE_INLINE Vec<T> bounded(Vec<T> z) {
  return bounded_below<T>(min<T>(broadcast(kTail<T>), z));
}

/// x * Phi(x). Reference: Hendrycks and Gimpel, "Gaussian error linear units", 2016.
template <class T>
struct Gelu {
  static constexpr T kInverseSqrt2 = T(0.70710678118654752440);
  static constexpr T kInverseSqrt2Pi = T(0.39894228040143267794);
  CHAINRULE_INLINE Vec<T> phi(Vec<T> z) const {
    return T(0.5) * (T(1) + math::erf<T>(z * kInverseSqrt2));
  }
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const { return bounded_below<T>(z) * phi(z); }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T>) const {
    z = bounded<T>(z);
    return fma(z, kInverseSqrt2Pi * math::exp<T>(T(-0.5) * z * z), phi(z));
  }
};

template <class T>
struct GeluTanh {
  static constexpr T kScale = T(0.79788456080286535588);  // sqrt(2 / pi)
  static constexpr T kCube = T(0.044715);
  CHAINRULE_INLINE Vec<T> tanh_term(Vec<T> z) const {
    return math::tanh<T>(kScale * fma(kCube * z * z, z, z));
  }
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    return T(0.5) * bounded_below<T>(z) * (T(1) + tanh_term(z));
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T>) const {
    z = bounded<T>(z);
    const Vec<T> t = tanh_term(z);
    const Vec<T> inner = kScale * (T(1) + T(3) * kCube * z * z);
    return T(0.5) * (T(1) + t) + T(0.5) * z * (T(1) - t * t) * inner;
  }
};

/// x * sigmoid(x). Reference: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", 2018.
template <class T>
struct Silu {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    return bounded_below<T>(z) * math::sigmoid<T>(z);
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T>) const {
    z = bounded<T>(z);
    const Vec<T> s = math::sigmoid<T>(z);
    return s * fma(z, T(1) - s, broadcast(T(1)));
  }
};

template <class T>
struct Sigmoid {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const { return math::sigmoid<T>(z); }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T>, Vec<T> y) const { return y * (T(1) - y); }
};

template <class T>
struct Tanh {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const { return math::tanh<T>(z); }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T>, Vec<T> y) const { return T(1) - y * y; }
};

/// log(1 + exp(x)), written so that neither end overflows.
template <class T>
struct Softplus {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const {
    return max<T>(z, Vec<T>{}) + math::log1p<T>(math::exp<T>(-abs<T>(z)));
  }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T> z, Vec<T>) const { return math::sigmoid<T>(z); }
};

template <class T>
struct Exponential {
  CHAINRULE_INLINE Vec<T> apply(Vec<T> z) const { return math::exp<T>(z); }
  CHAINRULE_INLINE Vec<T> derivative(Vec<T>, Vec<T> y) const { return y; }
};

template <class T, class A>
void apply_rows(const ActivationArgs<T>& f, A activation, const T* z, T* y) {
  for (int64_t i = 0; i < f.rows; ++i) {
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      store(y + i * f.stride + j, activation.apply(load(z + i * f.stride + j)));
    }
  }
}

template <class T, class A>
void derivative_rows(const ActivationArgs<T>& f, A activation, const T* z, const T* y, const T* dy,
                     T* dz) {
  for (int64_t i = 0; i < f.rows; ++i) {
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const int64_t at = i * f.stride + j;
      store(dz + at, load(dy + at) * activation.derivative(load(z + at), load(y + at)));
    }
  }
}

template <class T>
void softmax_rows(const ActivationArgs<T>& f, const T* z, T* y) {
  for (int64_t i = 0; i < f.rows; ++i) {
    const T* zi = z + i * f.stride;
    T* yi = y + i * f.stride;
    const Vec<T> top =
        broadcast(max_of<T>(f.columns, [&](int64_t j) CHAINRULE_LAMBDA { return load(zi + j); }));
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      // exp of what stands in the padding may be infinite, and stages that own columns work on the
      // padding as well.
      store(yi + j,
            select<T>(columns_below<T>(j, f.columns), math::exp<T>(load(zi + j) - top), Vec<T>{}));
    }
    const Vec<T> total = broadcast(
        tree_sum_of<T>(f.columns, [&](int64_t j) CHAINRULE_LAMBDA { return load(yi + j); }));
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) store(yi + j, load(yi + j) / total);
  }
}

template <class T>
void softmax_derivative_rows(const ActivationArgs<T>& f, const T* y, const T* dy, T* dz) {
  for (int64_t i = 0; i < f.rows; ++i) {
    const T* yi = y + i * f.stride;
    const T* dyi = dy + i * f.stride;
    const Vec<T> inner = broadcast(tree_sum_of<T>(
        f.columns, [&](int64_t j) CHAINRULE_LAMBDA { return load(yi + j) * load(dyi + j); }));
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const Vec<T> dz_j = load(yi + j) * (load(dyi + j) - inner);
      store(dz + i * f.stride + j, select<T>(columns_below<T>(j, f.columns), dz_j, Vec<T>{}));
    }
  }
}

/// Calls use(activation) with the struct of the kind; softmax has no elementwise form and is left
/// to the caller.
template <class T, class Use>
CHAINRULE_INLINE void with_activation(const ActivationArgs<T>& f, Use use) {
  switch (f.kind) {
    case ActivationKind::relu:
      return use(Relu<T>{});
    case ActivationKind::leaky_relu:
      if (f.parameter == T(0)) return use(Relu<T>{});  // it has no 0 * infinity
      return use(LeakyRelu<T>{f.parameter});
    case ActivationKind::elu:
      return use(Elu<T>{f.parameter});
    case ActivationKind::gelu:
      return use(Gelu<T>{});
    case ActivationKind::gelu_tanh:
      return use(GeluTanh<T>{});
    case ActivationKind::silu:
      return use(Silu<T>{});
    case ActivationKind::sigmoid:
      return use(Sigmoid<T>{});
    case ActivationKind::tanh:
      return use(Tanh<T>{});
    case ActivationKind::softplus:
      return use(Softplus<T>{});
    case ActivationKind::exponential:
      return use(Exponential<T>{});
    case ActivationKind::linear:
    case ActivationKind::softmax:
      return use(Linear<T>{});
  }
}

template <class T>
void activation_forward(const ActivationArgs<T>& f, const T* z, T* y) {
  if (f.kind == ActivationKind::softmax) return softmax_rows(f, z, y);
  with_activation(f, [&](auto activation) CHAINRULE_LAMBDA { apply_rows(f, activation, z, y); });
}

template <class T>
void activation_backward(const ActivationArgs<T>& f, const T* z, const T* y, const T* dy, T* dz) {
  if (f.kind == ActivationKind::softmax) return softmax_derivative_rows(f, y, dy, dz);
  with_activation(
      f, [&](auto activation) CHAINRULE_LAMBDA { derivative_rows(f, activation, z, y, dy, dz); });
}

}  // namespace

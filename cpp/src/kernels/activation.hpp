// SPDX-License-Identifier: Apache-2.0
// What applies the activations to rows. One file each in kernels/activations has a struct with
//     y = apply(z)
//     dy/dz = derivative(z, y), from whichever of the two is exact and cheaper
// on a vector of values, and its options as members. softmax, which needs whole rows, has
// apply_rows and derivative_rows of its own. z, y, dy, dz: rows x columns at one stride, padded to
// whole vectors, so loops have no tails.
#pragma once

#include "kernels/all_activations.hpp"  // made by CMake: includes each file of kernels/activations
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

// Both copy their arguments, which no store can change then.
template <class T, class A>
void apply_rows(const ActivationArgs<T>& args, A activation, const T* z, T* y) {
  const ActivationArgs<T> f = args;
  for (int64_t i = 0; i < f.rows; ++i) {
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      store(y + i * f.stride + j, activation.apply(load(z + i * f.stride + j)));
    }
  }
}

template <class T, class A>
void derivative_rows(const ActivationArgs<T>& args, A activation, const T* z, const T* y,
                     const T* dy, T* dz) {
  const ActivationArgs<T> f = args;
  for (int64_t i = 0; i < f.rows; ++i) {
    for (int64_t j = 0; j < f.columns; j += kLanes<T>) {
      const int64_t at = i * f.stride + j;
      store(dz + at, load(dy + at) * activation.derivative(load(z + at), load(y + at)));
    }
  }
}

/// The struct `A` of an activation, whose members are its options.
template <class A, class T>
CHAINRULE_INLINE A with_options(const T* parameters) {
  if constexpr (requires { A{parameters[0], parameters[1]}; }) {
    return A{parameters[0], parameters[1]};
  } else if constexpr (requires { A{parameters[0]}; }) {
    return A{parameters[0]};
  } else {
    return A{};
  }
}

/// Calls use(activation) with the struct of the kind.
template <class T, class Use>
CHAINRULE_INLINE void with_activation(const ActivationFunction<T>& f, Use use) {
  if (f.kind == ActivationKind::leaky_relu && f.parameters[0] == T(0))
    return use(Relu<T>{});  // it has no 0 * infinity
  switch (f.kind) {
#define CHAINRULE_ROW(kind, Kernel, ...) \
  case ActivationKind::kind:             \
    return use(with_options<Kernel<T>>(f.parameters));
    CHAINRULE_ACTIVATIONS(CHAINRULE_ROW)
#undef CHAINRULE_ROW
    case ActivationKind::exponential:
      return use(Exponential<T>{});
  }
}

template <class T>
void activation_forward(const ActivationArgs<T>& f, const T* z, T* y) {
  with_activation(f.function,
                  [&](auto activation) CHAINRULE_LAMBDA { apply_rows(f, activation, z, y); });
}

template <class T>
void activation_backward(const ActivationArgs<T>& f, const T* z, const T* y, const T* dy, T* dz) {
  with_activation(f.function, [&](auto activation) CHAINRULE_LAMBDA {
    derivative_rows(f, activation, z, y, dy, dz);
  });
}

}  // namespace

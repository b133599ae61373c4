// SPDX-License-Identifier: Apache-2.0
// Batches with zeros in them, for the tests of what leaves zeros out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "matrices.hpp"

namespace chainrule::testing {

constexpr int64_t kInputs = 139;

/// A batch with zeros of both signs, some NaN and subnormals, and rows and columns of nothing else
/// than zeros.
template <class T>
Matrix<T> batch_of(int64_t rows, double density) {
  Draws draws(11);
  Matrix<T> x(rows, kInputs, kGarbage<T>);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < kInputs; ++j) {
      x(i, j) = T(0);
      const bool empty = i % 7 == 3 || (j >= 40 && j < 60);
      if (!empty && draws.uniform(0, 1) < density) x(i, j) = static_cast<T>(draws.uniform(-1, 1));
      if (x(i, j) == T(0) && j % 2 == 1) x(i, j) = -T(0);
    }
  }
  if (rows > 5 && density > 0) {
    x(5, 1) = std::numeric_limits<T>::quiet_NaN();
    x(5, 64) = std::numeric_limits<T>::min();
  }
  return x;
}

template <class T>
bool same_value(T a, T b) {
  return a == b || (a != a && b != b);
}

/// A dense layer of `units` units over a batch, and its products over all terms, zeros too.
template <class T>
struct AllTerms {
  AllTerms(const kernels::KernelTable<T>& k, const Matrix<T>& x, int64_t units)
      : shape{kInputs, units, k.panel, kernels::kRowAlignment<T>},
        panels((units + k.panel - 1) / k.panel),
        weight(static_cast<size_t>(kInputs * padded_columns<T>(units))),
        dy(filled<T>(x.rows, units, T(0), draw)),
        bias(filled<T>(1, units, T(0), draw)),
        y(x.rows, units),
        g(weight.size(), T(7)) {
    for (T& w : weight) w = static_cast<T>(draw());
    k.forward({shape, weight.data(), bias.data(), x.data(), x.stride, y.data(), y.stride, 0, x.rows,
               0, panels, kInputs});
    for (int64_t panel = 0; panel < panels; ++panel)
      k.weight_gradient({shape, panel, 0, kInputs, x.rows, x.data(), x.stride, dy.data(), dy.stride,
                         g.data() + at(panel, 0), x.rows, nullptr});
  }

  /// The place of a row of one panel of weights or gradients.
  std::ptrdiff_t at(int64_t panel, int64_t row) const {
    const int64_t width =
        std::min(shape.panel, padded_columns<T>(shape.columns - panel * shape.panel));
    return static_cast<std::ptrdiff_t>(panel * shape.panel * kInputs + row * width);
  }

  Draws draws{5};
  std::function<double()> draw = [this] { return draws.uniform(-1, 1); };
  kernels::PanelShape shape;
  int64_t panels;
  std::vector<T> weight;
  Matrix<T> dy, bias;
  Matrix<T> y;       // x W + b
  std::vector<T> g;  // of the weights
};

/// Calls check(kernels, rows, density) for all instruction sets, both types and several batches.
template <class Check>
void everywhere(Check check) {
  for (const std::string& isa : kernels::available()) {
    CAPTURE(isa);
#if defined(CHAINRULE_TEST_QUICK)
    for (const int64_t rows : {3, 67}) {
#else
    for (const int64_t rows : {1, 3, 19, 64, 67}) {
#endif
      CAPTURE(rows);
      for (const double density : {0.0, 0.02, 0.3, 1.0}) {
        CAPTURE(density);
        check(kernels_of<float>(isa), rows, density);
        check(kernels_of<double>(isa), rows, density);
      }
    }
  }
}

}  // namespace chainrule::testing

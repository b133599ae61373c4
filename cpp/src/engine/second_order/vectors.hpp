// SPDX-License-Identifier: Apache-2.0
// Vectors of double over all parameters. Sums use 16 interleaved sums that are added as a fixed
// tree, so they have the same bits everywhere.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace chainrule::engine {

using Vector = std::vector<double>;

/// sum of a(i) b(i), (size)
inline double dot(const double* a, const double* b, std::int64_t size) {
  constexpr int lanes = 16;
  double sums[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= size; i += lanes)
    for (int lane = 0; lane < lanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  for (int lane = 0; i + lane < size; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  return sums[0];
}

inline double dot(const Vector& a, const Vector& b) {
  return dot(a.data(), b.data(), static_cast<std::int64_t>(a.size()));
}

/// y = y + factor x
inline void add_multiple(double factor, const double* x, double* y, std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) y[i] += factor * x[i];
}

inline void add_multiple(double factor, const Vector& x, Vector& y) {
  add_multiple(factor, x.data(), y.data(), static_cast<std::int64_t>(x.size()));
}

/// max |x(i)|; a NaN is passed over.
inline double largest_magnitude(const Vector& x) {
  double largest = 0.0;
  for (const double value : x) largest = std::fmax(largest, std::fabs(value));
  return largest;
}

/// sum of |x(i)| in index order
inline double sum_of_magnitudes(const Vector& x) {
  double sum = 0.0;
  for (const double value : x) sum += std::fabs(value);
  return sum;
}

}  // namespace chainrule::engine

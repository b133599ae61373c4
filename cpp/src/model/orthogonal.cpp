// SPDX-License-Identifier: Apache-2.0
#include "model/orthogonal.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace chainrule::model {
namespace {

/// Eight running sums in a fixed order, so that compilers can use vectors without changing a bit.
double dot(const double* x, const double* y, std::int64_t n) {
  double lanes[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int lane = 0; lane < 8; ++lane) lanes[lane] += x[i + lane] * y[i + lane];
  for (; i < n; ++i) lanes[i % 8] += x[i] * y[i];
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
         ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/// Subtracts from `vector` its projections on `basis_size` orthonormal vectors of length n.
void project_out(double* vector, const double* basis, std::int64_t basis_size, std::int64_t n) {
  for (std::int64_t k = 0; k < basis_size; ++k) {
    const double* direction = basis + k * n;
    const double along = dot(vector, direction, n);
    for (std::int64_t i = 0; i < n; ++i) vector[i] -= along * direction[i];
  }
}

/// Modified Gram-Schmidt on `count` rows of length n >= count; its R has a positive diagonal.
void orthonormalize(double* rows, std::int64_t count, std::int64_t n) {
  for (std::int64_t k = 0; k < count; ++k) {
    double* row = rows + k * n;
    const double before = std::sqrt(dot(row, row, n));
    project_out(row, rows, k, n);
    double norm = std::sqrt(dot(row, row, n));
    // Rounding weighs more the shorter the remainder is; a second pass is always enough (Giraud,
    // Langou, Rozloznik & van den Eshof, Numerische Mathematik 101, 2005).
    if (norm < 0.1 * before) {
      project_out(row, rows, k, n);
      norm = std::sqrt(dot(row, row, n));
    }
    for (std::int64_t i = 0; i < n; ++i) row[i] /= norm;
  }
}

}  // namespace

void fill_orthogonal(double* values, std::int64_t rows, std::int64_t columns, double gain,
                     RandomStream& random) {
  const std::int64_t count = std::min(rows, columns);
  const std::int64_t length = std::max(rows, columns);
  std::vector<double> basis(static_cast<std::size_t>(count * length));
  for (double& value : basis) value = random.next_normal();
  orthonormalize(basis.data(), count, length);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      values[i * columns + j] =
          gain * (rows < columns ? basis[i * length + j] : basis[j * length + i]);
}

}  // namespace chainrule::model

// SPDX-License-Identifier: Apache-2.0
// Products by plain loops, each sum in the order of its terms, a fused multiply-add a term.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace chainrule::testing {

template <class T>
using Numbers = std::vector<T>;

/// sums(j) = start(j) + sum over i of x(i) w(i, j)
template <class T>
Numbers<T> product(Numbers<T> sums, const T* x, const Numbers<T>& w, int64_t terms) {
  const size_t columns = sums.size();
  for (size_t j = 0; j < columns; ++j) {
    T sum = sums[j];
    const T* column = w.data() + j;
    for (int64_t i = 0; i < terms; ++i, column += columns) sum = std::fma(x[i], *column, sum);
    sums[j] = sum;
  }
  return sums;
}

/// sum over j of d(j) w(i, j)
template <class T>
T transposed(const Numbers<T>& d, const Numbers<T>& w, int64_t i) {
  const size_t columns = d.size();
  const T *left = d.data(), *right = w.data() + static_cast<size_t>(i) * columns;
  T sum = 0;
  for (size_t j = 0; j < columns; ++j) sum = std::fma(left[j], right[j], sum);
  return sum;
}

/// sums(i, j) += x(i) d(j)
template <class T>
void add_outer(Numbers<T>& sums, const T* x, const Numbers<T>& d) {
  T* sum = sums.data();
  for (T* const end = sum + sums.size(); sum != end; ++x)
    for (const T right : d) {
      *sum = std::fma(*x, right, *sum);
      ++sum;
    }
}

}  // namespace chainrule::testing

// SPDX-License-Identifier: Apache-2.0
/* start + the sum of x * weight; the scales are such that it cannot overflow. */
static int32_t sum_of_products(const int8_t* x, const int8_t* weight, size_t n, int32_t start) {
  int32_t sum = start;
  for (size_t i = 0; i < n; ++i) sum += (int32_t)x[i] * weight[i];
  return sum;
}

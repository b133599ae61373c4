// SPDX-License-Identifier: Apache-2.0
/* y = the n values of x, so many times. */
static void repeat(const float* x, float* y, size_t n, size_t times) {
  for (size_t i = 0; i < times; ++i) {
    for (size_t j = 0; j < n; ++j) y[i * n + j] = x[j];
  }
}

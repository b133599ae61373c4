// SPDX-License-Identifier: Apache-2.0
/* y = the n values of a and behind them the m values of b. */
static void concatenate(const float* a, const float* b, float* y, size_t n, size_t m) {
  for (size_t i = 0; i < n; ++i) y[i] = a[i];
  for (size_t i = 0; i < m; ++i) y[n + i] = b[i];
}

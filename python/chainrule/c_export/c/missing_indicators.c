// SPDX-License-Identifier: Apache-2.0
/* y = x, and behind it for each of m columns 1 where its number is NaN, else 0. */
static void missing_indicators(const float* x, float* y, size_t n, size_t m,
                               const int32_t* columns) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i];
  for (size_t i = 0; i < m; ++i) y[n + i] = x[columns[i]] != x[columns[i]] ? 1.0f : 0.0f;
}

// SPDX-License-Identifier: Apache-2.0
/* y = x, with 0 for NaN in m columns. Options such as -ffast-math make compilers forget NaN. */
static void fill_missing(const float* x, float* y, size_t n, size_t m, const int32_t* columns) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i];
  for (size_t i = 0; i < m; ++i) {
    if (y[columns[i]] != y[columns[i]]) y[columns[i]] = 0.0f;
  }
}

// SPDX-License-Identifier: Apache-2.0
/* y[i] = x[columns[i]] */
static void take(const float* x, float* y, size_t n, const int32_t* columns) {
  for (size_t i = 0; i < n; ++i) y[i] = x[columns[i]];
}

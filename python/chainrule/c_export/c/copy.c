// SPDX-License-Identifier: Apache-2.0
/* y = x. */
static void copy(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i];
}

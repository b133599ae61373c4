// SPDX-License-Identifier: Apache-2.0
/* y = a * b. */
static void multiply(const float* a, const float* b, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = a[i] * b[i];
}

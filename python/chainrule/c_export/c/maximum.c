// SPDX-License-Identifier: Apache-2.0
/* y = max(a, b). */
static void maximum(const float* a, const float* b, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = a[i] < b[i] ? b[i] : a[i];
}

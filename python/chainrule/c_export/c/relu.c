// SPDX-License-Identifier: Apache-2.0
/* y = max(0, x). */
static void relu(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

// SPDX-License-Identifier: Apache-2.0
/* y = x / (1 + exp(-x)). */
static void silu(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] / (1.0f + exponential(-x[i]));
}

// SPDX-License-Identifier: Apache-2.0
/* y = 1 / (1 + exp(-x)). */
static void sigmoid(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = 1.0f / (1.0f + exponential(-x[i]));
}

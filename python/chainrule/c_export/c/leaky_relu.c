// SPDX-License-Identifier: Apache-2.0
/* y = x where x > 0, else slope * x. */
static void leaky_relu(const float* x, float* y, size_t n, float slope) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] > 0.0f ? x[i] : slope * x[i];
}

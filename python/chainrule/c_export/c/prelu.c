// SPDX-License-Identifier: Apache-2.0
/* y = x where x > 0, else slope * x, with a slope for each feature. */
static void prelu(const float* x, float* y, size_t n, const float* slope) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] > 0.0f ? x[i] : slope[i] * x[i];
}

// SPDX-License-Identifier: Apache-2.0
/* y = scale * x + shift. */
static void rescale(const float* x, float* y, size_t n, float scale, float shift) {
  for (size_t i = 0; i < n; ++i) y[i] = scale * x[i] + shift;
}

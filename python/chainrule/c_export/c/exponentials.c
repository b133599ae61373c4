// SPDX-License-Identifier: Apache-2.0
/* y = exp(x). */
static void exponentials(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = exponential(x[i]);
}

// SPDX-License-Identifier: Apache-2.0
/* y = exp(x) / sum(exp(x)), with the largest x taken from all so that nothing overflows. */
static void softmax(const float* x, float* y, size_t n) {
  float largest = x[0];
  for (size_t i = 1; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  float sum = 0.0f;
  for (size_t i = 0; i < n; ++i) {
    y[i] = exponential(x[i] - largest);
    sum += y[i];
  }
  for (size_t i = 0; i < n; ++i) y[i] /= sum;
}

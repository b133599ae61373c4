// SPDX-License-Identifier: Apache-2.0
/* y = x within low .. high. */
static void clip(const float* x, float* y, size_t n, float low, float high) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] < low ? low : x[i] > high ? high : x[i];
}

// SPDX-License-Identifier: Apache-2.0
/* y = scale * x + shift, rounded to int8. */
static void quantize(const float* x, int8_t* y, size_t n, float scale, float shift) {
  for (size_t i = 0; i < n; ++i) y[i] = to_int8(scale * x[i] + shift);
}

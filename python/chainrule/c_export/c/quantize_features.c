// SPDX-License-Identifier: Apache-2.0
/* y = scale * x + shift, rounded to int8, with a scale and a shift for each feature. */
static void quantize_features(const float* x, int8_t* y, size_t n, const float* scale,
                              const float* shift) {
  for (size_t i = 0; i < n; ++i) y[i] = to_int8(scale[i] * x[i] + shift[i]);
}

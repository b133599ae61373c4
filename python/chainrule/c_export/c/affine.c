// SPDX-License-Identifier: Apache-2.0
/* y = scale * x + shift, with a scale and a shift for each feature. */
static void affine(const float* x, float* y, size_t n, const float* scale, const float* shift) {
  for (size_t i = 0; i < n; ++i) y[i] = scale[i] * x[i] + shift[i];
}

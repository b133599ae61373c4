// SPDX-License-Identifier: Apache-2.0
/* y = x * Phi(x), Phi being the standard normal distribution function. */
static void gelu(const float* x, float* y, size_t n) {
  const float inverse_sqrt_2 = 0.707106781f;
  for (size_t i = 0; i < n; ++i) y[i] = 0.5f * x[i] * erfcf(-inverse_sqrt_2 * x[i]);
}

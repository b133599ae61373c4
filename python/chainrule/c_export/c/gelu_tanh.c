// SPDX-License-Identifier: Apache-2.0
/* y = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))). */
static void gelu_tanh(const float* x, float* y, size_t n) {
  const float sqrt_2_over_pi = 0.797884561f;
  for (size_t i = 0; i < n; ++i) {
    const float inner = sqrt_2_over_pi * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
    y[i] = 0.5f * x[i] * (1.0f + tanhf(inner));
  }
}

// SPDX-License-Identifier: Apache-2.0
/* y = tanh(x). */
static void hyperbolic_tangent(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = tanhf(x[i]);
}

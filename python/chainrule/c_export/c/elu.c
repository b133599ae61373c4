// SPDX-License-Identifier: Apache-2.0
/* y = x where x > 0, else alpha * (exp(x) - 1). */
static void elu(const float* x, float* y, size_t n, float alpha) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] > 0.0f ? x[i] : alpha * expm1f(x[i]);
}

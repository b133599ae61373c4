// SPDX-License-Identifier: Apache-2.0
/* y = log(1 + exp(x)), written so that neither end overflows. */
static void softplus(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const float distance = x[i] < 0.0f ? -x[i] : x[i];
    y[i] = (x[i] > 0.0f ? x[i] : 0.0f) + log1pf(exponential(-distance));
  }
}

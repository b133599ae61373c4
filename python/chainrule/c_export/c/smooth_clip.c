// SPDX-License-Identifier: Apache-2.0
/* y = x / sqrt(1 + (rate * x)^2), with a rate for each feature; NaN stays NaN. */
static void smooth_clip(const float* x, float* y, size_t n, const float* rate) {
  for (size_t i = 0; i < n; ++i) {
    const float r = rate[i] * x[i];
    const float size = r < 0.0f ? -r : r;
    /* The square of a larger number could overflow. */
    y[i] = x[i] / (size > 1e9f ? size : sqrtf(1.0f + r * r));
  }
}

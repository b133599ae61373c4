// SPDX-License-Identifier: Apache-2.0
/* y = (1 - share) * x + share * z, with a share for each feature. */
static void mix(const float* x, const float* z, float* y, size_t n, const float* share) {
  for (size_t i = 0; i < n; ++i) y[i] = (1.0f - share[i]) * x[i] + share[i] * z[i];
}

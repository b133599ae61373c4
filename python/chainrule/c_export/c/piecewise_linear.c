// SPDX-License-Identifier: Apache-2.0
/* Of each feature x units sums, by weights, of its places (x - edge) rate in bins; within low and
   high, between which NaN stays one. */
static void piecewise_linear(const float* x, float* y, size_t n, const float* edge,
                             const float* rate, const float* low, const float* high,
                             const float* weight, const float* bias, size_t bins, size_t units) {
  for (size_t i = 0; i < n; ++i) {
    float* out = y + i * units;
    for (size_t u = 0; u < units; ++u) out[u] = bias[i * units + u];
    for (size_t k = 0; k < bins; ++k) {
      const size_t at = i * bins + k;
      const float within = x[i] < low[at] ? low[at] : x[i] > high[at] ? high[at] : x[i];
      const float place = (within - edge[at]) * rate[at];
      for (size_t u = 0; u < units; ++u) out[u] += place * weight[(i * units + u) * bins + k];
    }
  }
}

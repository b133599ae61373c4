// SPDX-License-Identifier: Apache-2.0
/* Of each feature x: x, and units sums of cos(2 pi frequency x + phase) by weights. */
static void periodic(const float* x, float* y, size_t n, const float* frequency, const float* phase,
                     const float* weight, const float* bias, size_t waves, size_t units) {
  for (size_t i = 0; i < n; ++i) {
    float* out = y + i * (units + 1);
    out[0] = x[i];
    for (size_t u = 0; u < units; ++u) out[1 + u] = bias[i * units + u];
    for (size_t k = 0; k < waves; ++k) {
      const float turn = 2.0f * frequency[i * waves + k] * x[i];
      const float wave = cosine_of_pi(turn + phase[i * waves + k] * 0.318309886f);
      for (size_t u = 0; u < units; ++u) out[1 + u] += wave * weight[(i * units + u) * waves + k];
    }
  }
}

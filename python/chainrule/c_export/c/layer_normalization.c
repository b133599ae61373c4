// SPDX-License-Identifier: Apache-2.0
/* y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance of the row. */
static void layer_normalization(const float* x, float* y, size_t n, const float* gamma,
                                const float* beta, float epsilon) {
  float mean = 0.0f;
  for (size_t i = 0; i < n; ++i) mean += x[i];
  mean /= (float)n;
  float variance = 0.0f;
  for (size_t i = 0; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean);
  variance /= (float)n;
  const float inverse = 1.0f / sqrtf(variance + epsilon);
  for (size_t i = 0; i < n; ++i) y[i] = gamma[i] * ((x[i] - mean) * inverse) + beta[i];
}

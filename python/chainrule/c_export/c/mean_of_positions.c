// SPDX-License-Identifier: Apache-2.0
/* y = the mean of so many positions of n values each. */
static void mean_of_positions(const float* x, float* y, size_t n, size_t positions) {
  for (size_t j = 0; j < n; ++j) {
    float sum = 0.0f;
    for (size_t i = 0; i < positions; ++i) sum += x[i * n + j];
    y[j] = sum / (float)positions;
  }
}

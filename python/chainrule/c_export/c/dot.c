// SPDX-License-Identifier: Apache-2.0
/* y = the sums of products of each of the rows of a, of n values, with each of those of b. */
static void dot(const float* a, const float* b, float* y, size_t n, size_t rows_of_a,
                size_t rows_of_b) {
  for (size_t i = 0; i < rows_of_a; ++i) {
    for (size_t j = 0; j < rows_of_b; ++j) {
      float sum = 0.0f;
      for (size_t k = 0; k < n; ++k) sum += a[i * n + k] * b[j * n + k];
      y[i * rows_of_b + j] = sum;
    }
  }
}

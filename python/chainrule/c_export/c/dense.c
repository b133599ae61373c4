// SPDX-License-Identifier: Apache-2.0
/* y = bias + weight x, where weight has a row of inputs for each output. */
static void dense(const float* x, float* y, size_t inputs, size_t outputs, const float* weight,
                  const float* bias) {
  for (size_t j = 0; j < outputs; ++j) {
    const float* row = weight + j * inputs;
    float sum = bias[j];
    for (size_t i = 0; i < inputs; ++i) sum += row[i] * x[i];
    y[j] = sum;
  }
}

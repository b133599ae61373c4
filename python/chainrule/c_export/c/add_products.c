// SPDX-License-Identifier: Apache-2.0
/* y += x weight, where weight has a row of outputs for each input, one input after the other. */
static void add_products(const float* x, float* y, size_t inputs, size_t outputs,
                         const float* weight) {
  for (size_t i = 0; i < inputs; ++i) {
    const float value = x[i];
    const float* row = weight + i * outputs;
    for (size_t j = 0; j < outputs; ++j) y[j] += value * row[j];
  }
}

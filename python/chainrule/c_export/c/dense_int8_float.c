// SPDX-License-Identifier: Apache-2.0
/* y = scale * (bias + weight x), with the sum in int32 and a scale for each output. */
static void dense_int8_float(const int8_t* x, float* y, size_t inputs, size_t outputs,
                             const int8_t* weight, const int32_t* bias, const float* scale) {
  for (size_t j = 0; j < outputs; ++j) {
    y[j] = scale[j] * (float)sum_of_products(x, weight + j * inputs, inputs, bias[j]);
  }
}

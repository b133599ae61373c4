// SPDX-License-Identifier: Apache-2.0
/* y = bias + weight x in int32, brought to int8 by multiplier / 2^shift of each output. The limits
   of int8 are those of the activation too: a relu's zero is at -128. */
static void dense_int8(const int8_t* x, int8_t* y, size_t inputs, size_t outputs,
                       const int8_t* weight, const int32_t* bias, const int32_t* multiplier,
                       const uint8_t* shift, int32_t zero_point) {
  for (size_t j = 0; j < outputs; ++j) {
    const int32_t sum = sum_of_products(x, weight + j * inputs, inputs, bias[j]);
    const int64_t value = scaled(sum, multiplier[j], shift[j]) + zero_point;
    y[j] = (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
  }
}

// SPDX-License-Identifier: Apache-2.0
/* y = bias + the sum over kernel row and kernel column, each from the last to the first, and
 * channel, in this order, of x weight. x has n channels, y `outputs`; each position of x is spread
 * over a window of y, and windows begin `above` and `left` of y. The weight has a row of outputs
 * for each of these terms, of kernel rows and columns from the first on. */
static void transposed_convolution(const float* x, float* y, size_t n, size_t outputs,
                                   size_t x_height, size_t x_width, size_t y_height, size_t y_width,
                                   size_t kernel_height, size_t kernel_width, size_t row_stride,
                                   size_t column_stride, size_t row_dilation,
                                   size_t column_dilation, size_t above, size_t left,
                                   const float* weight, const float* bias) {
  for (size_t i = 0; i < y_height * y_width; ++i) copy(bias, y + i * outputs, outputs);
  for (size_t i = 0; i < x_height; ++i) {
    for (size_t j = 0; j < x_width; ++j, x += n) {
      for (size_t p = 0; p < kernel_height; ++p) {
        const size_t row = i * row_stride + p * row_dilation;
        if (row < above || row - above >= y_height) continue;
        for (size_t q = 0; q < kernel_width; ++q) {
          const size_t column = j * column_stride + q * column_dilation;
          if (column < left || column - left >= y_width) continue;
          add_products(x, y + ((row - above) * y_width + column - left) * outputs, n, outputs,
                       weight + (p * kernel_width + q) * n * outputs);
        }
      }
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
/* y = bias + the sum over kernel row and kernel column, in this order, of x weight, of each of n
 * channels by itself. Windows begin `above` and `left` of the image, around which are zeros. */
static void depthwise_convolution(const float* x, float* y, size_t n, size_t x_height,
                                  size_t x_width, size_t y_height, size_t y_width,
                                  size_t kernel_height, size_t kernel_width, size_t row_stride,
                                  size_t column_stride, size_t row_dilation, size_t column_dilation,
                                  size_t above, size_t left, const float* weight,
                                  const float* bias) {
  for (size_t i = 0; i < y_height; ++i) {
    for (size_t j = 0; j < y_width; ++j, y += n) {
      copy(bias, y, n);
      for (size_t p = 0; p < kernel_height; ++p) {
        const size_t row = i * row_stride + p * row_dilation;
        if (row < above || row - above >= x_height) continue;
        for (size_t q = 0; q < kernel_width; ++q) {
          const size_t column = j * column_stride + q * column_dilation;
          if (column < left || column - left >= x_width) continue;
          const float* value = x + ((row - above) * x_width + column - left) * n;
          const float* factor = weight + (p * kernel_width + q) * n;
          for (size_t c = 0; c < n; ++c) y[c] += value[c] * factor[c];
        }
      }
    }
  }
}

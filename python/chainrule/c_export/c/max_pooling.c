// SPDX-License-Identifier: Apache-2.0
/* y = the largest of each window of positions, of n values each, column by column; NaN is larger
 * than all numbers. Windows begin `above` and `left` of the image, and its border is in none. */
static void max_pooling(const float* x, float* y, size_t n, size_t x_height, size_t x_width,
                        size_t y_height, size_t y_width, size_t pool_height, size_t pool_width,
                        size_t row_stride, size_t column_stride, size_t above, size_t left) {
  for (size_t i = 0; i < y_height; ++i) {
    const size_t bottom = i * row_stride + pool_height - above;
    const size_t top = i * row_stride > above ? i * row_stride - above : 0;
    for (size_t j = 0; j < y_width; ++j, y += n) {
      const size_t right = j * column_stride + pool_width - left;
      const size_t first = j * column_stride > left ? j * column_stride - left : 0;
      for (size_t c = 0; c < n; ++c) y[c] = x[(top * x_width + first) * n + c];
      for (size_t p = top; p < bottom && p < x_height; ++p) {
        for (size_t q = first; q < right && q < x_width; ++q) {
          const float* value = x + (p * x_width + q) * n;
          for (size_t c = 0; c < n; ++c) {
            if (!(value[c] <= y[c]) && y[c] == y[c]) y[c] = value[c];
          }
        }
      }
    }
  }
}

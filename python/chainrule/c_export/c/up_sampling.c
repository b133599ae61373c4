// SPDX-License-Identifier: Apache-2.0
/* y = each position of x, of n values, so many times along each axis. */
static void up_sampling(const float* x, float* y, size_t n, size_t x_height, size_t x_width,
                        size_t height_times, size_t width_times) {
  for (size_t i = 0; i < x_height * height_times; ++i) {
    for (size_t j = 0; j < x_width * width_times; ++j, y += n) {
      const float* value = x + (i / height_times * x_width + j / width_times) * n;
      for (size_t c = 0; c < n; ++c) y[c] = value[c];
    }
  }
}

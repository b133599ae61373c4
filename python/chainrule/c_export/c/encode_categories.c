// SPDX-License-Identifier: Apache-2.0
/* For each of n columns of categories a 1 in their place, or as often as they are there, or -1 and
   1 for two of them; other numbers of x in theirs. */
static void encode_categories(const float* x, float* y, size_t n, size_t m, const int32_t* codes,
                              int counts) {
  for (size_t i = 0; i < m; ++i) y[i] = 0.0f;
  for (size_t i = 0; i < n; ++i) {
    const int32_t* column = codes + 6 * i;
    const int32_t code = column[0] ? category(x[i], column) : -1;
    if (!column[0]) {
      y[column[5]] = x[i];
    } else if (column[4] && (x[i] == 0.0f || x[i] == 1.0f)) {
      y[column[5]] = 2.0f * x[i] - 1.0f;
    } else if (code >= 0) {
      y[code] = counts ? y[code] + 1.0f : 1.0f;
    }
  }
}

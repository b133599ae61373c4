// SPDX-License-Identifier: Apache-2.0
/* For each of n columns of categories a row of the table, or zeros; other numbers of x as they are.
 */
static void embed(const float* x, float* y, size_t n, const int32_t* codes, const float* table,
                  size_t units) {
  for (size_t i = 0; i < n; ++i) {
    const int32_t* column = codes + 6 * i;
    float* out = y + column[5];
    if (!column[0]) {
      out[0] = x[i];
      continue;
    }
    const int32_t code = category(x[i], column);
    for (size_t j = 0; j < units; ++j) out[j] = code < 0 ? 0.0f : table[(size_t)code * units + j];
  }
}

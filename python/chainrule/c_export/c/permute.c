// SPDX-License-Identifier: Apache-2.0
/* y = x with its axes in another order: y has extents[k] entries along axis k, which lie strides[k]
   apart in x. */
static void permute(const float* x, float* y, size_t n, size_t axes, const int32_t* extents,
                    const int32_t* strides) {
  for (size_t i = 0; i < n; ++i) {
    size_t rest = i;
    size_t from = 0;
    for (size_t k = axes; k-- > 0;) {
      from += rest % (size_t)extents[k] * (size_t)strides[k];
      rest /= (size_t)extents[k];
    }
    y[i] = x[from];
  }
}

// SPDX-License-Identifier: Apache-2.0
/* y = bias + the sum over kernel position, in this order, of earlier frames and x by weight, of
 * each of n channels by itself. The ring has the last frames that the kernel spans, and x goes
 * where the oldest one lies, at `newest`, which moves on. */
static void causal_depthwise_convolution(const float* x, float* y, float* ring, uint32_t* newest,
                                         size_t n, size_t kernel, size_t dilation,
                                         const float* weight, const float* bias) {
  const size_t span = (kernel - 1) * dilation + 1;
  copy(x, ring + *newest * n, n);
  *newest = (uint32_t)((*newest + 1) % span);
  copy(bias, y, n);
  for (size_t k = 0; k < kernel; ++k) {
    const float* frame = ring + (*newest + k * dilation) % span * n;
    for (size_t c = 0; c < n; ++c) y[c] += frame[c] * weight[k * n + c];
  }
}

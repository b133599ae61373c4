// SPDX-License-Identifier: Apache-2.0
/* y = bias + the sum over kernel position and channel, in this order, of earlier frames and x by
 * weight. The ring has the last frames that the kernel spans, of n channels each, and x goes where
 * the oldest one lies, at `newest`, which moves on. */
static void causal_convolution(const float* x, float* y, float* ring, uint32_t* newest, size_t n,
                               size_t outputs, size_t kernel, size_t dilation, const float* weight,
                               const float* bias) {
  const size_t span = (kernel - 1) * dilation + 1;
  copy(x, ring + *newest * n, n);
  *newest = (uint32_t)((*newest + 1) % span);
  copy(bias, y, outputs);
  size_t frame = *newest;
  for (size_t k = 0; k < kernel; ++k) {
    add_products(ring + frame * n, y, n, outputs, weight + k * n * outputs);
    frame += dilation;
    if (frame >= span) frame -= span;
  }
}

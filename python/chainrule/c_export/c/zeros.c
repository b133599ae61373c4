// SPDX-License-Identifier: Apache-2.0
/* y = 0. */
static void zeros(float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = 0.0f;
}

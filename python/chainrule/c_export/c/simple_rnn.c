// SPDX-License-Identifier: Apache-2.0
/* y = bias + x weight + state recurrent, the sums of a step whose activation is the next state. */
static void simple_rnn(const float* x, float* y, const float* state, size_t inputs, size_t units,
                       const float* weight, const float* recurrent, const float* bias) {
  copy(bias, y, units);
  add_products(x, y, inputs, units, weight);
  add_products(state, y, units, units, recurrent);
}

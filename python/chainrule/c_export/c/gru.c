// SPDX-License-Identifier: Apache-2.0
/* A step of gated recurrent units: y = state = n + z (state - n), with the gates z, r, n side by
 * side in the weights, and n = tanh(sums of x + r * sums of the state). gates: 6 * units. */
static void gru(const float* x, float* y, float* state, float* gates, size_t inputs, size_t units,
                const float* weight, const float* recurrent, const float* bias,
                const float* recurrent_bias) {
  float* sums = gates + 3 * units;
  float* n = gates + 2 * units;
  copy(bias, gates, 3 * units);
  add_products(x, gates, inputs, 3 * units, weight);
  copy(recurrent_bias, sums, 3 * units);
  add_products(state, sums, units, 3 * units, recurrent);
  for (size_t j = 0; j < 2 * units; ++j) gates[j] += sums[j];
  sigmoid(gates, gates, 2 * units);
  for (size_t j = 0; j < units; ++j) n[j] += gates[units + j] * sums[2 * units + j];
  hyperbolic_tangent(n, n, units);
  for (size_t j = 0; j < units; ++j) {
    state[j] = n[j] + gates[j] * (state[j] - n[j]);
    y[j] = state[j];
  }
}

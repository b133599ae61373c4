// SPDX-License-Identifier: Apache-2.0
/* A step of long short-term memory: cell = f * cell + i * g and y = state = o tanh(cell), with the
 * gates i, f, g, o side by side in the weights. The cell is behind the state. gates: 4 * units. */
static void lstm(const float* x, float* y, float* state, float* gates, size_t inputs, size_t units,
                 const float* weight, const float* recurrent, const float* bias) {
  float* cell = state + units;
  float* g = gates + 2 * units;
  float* o = gates + 3 * units;
  copy(bias, gates, 4 * units);
  add_products(x, gates, inputs, 4 * units, weight);
  add_products(state, gates, units, 4 * units, recurrent);
  sigmoid(gates, gates, 2 * units);
  hyperbolic_tangent(g, g, units);
  sigmoid(o, o, units);
  for (size_t j = 0; j < units; ++j) cell[j] = gates[units + j] * cell[j] + gates[j] * g[j];
  hyperbolic_tangent(cell, y, units);
  for (size_t j = 0; j < units; ++j) {
    y[j] *= o[j];
    state[j] = y[j];
  }
}

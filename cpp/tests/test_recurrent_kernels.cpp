// SPDX-License-Identifier: Apache-2.0
// Steps of recurrent layers on every instruction set, rows that are over among them.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "matrices.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

template <class T>
void check_kernels(const std::string& isa, int64_t rows, int64_t units) {
  using Step = void (*)(const kernels::RecurrentStepArgs<T>&);
  using Back = void (*)(const kernels::RecurrentBackwardArgs<T>&);
  const auto& reference = kernels_of<T>("portable");
  const auto& own = kernels_of<T>(isa);
  Draws draws(static_cast<uint64_t>(100 * rows + units));
  const auto draw = [&] { return draws.uniform(-2, 2); };
  const auto table = [&](int64_t columns) { return filled<T>(rows, columns, T(0), draw); };
  Matrix<T> lengths(rows, 1);
  for (int64_t i = 0; i < rows; ++i) lengths(i, 0) = static_cast<T>(i % 3);
  struct Kernels {
    int64_t gates;
    Step step, own_step;
    Back back, own_back;
  };
  for (const Kernels& k :
       {Kernels{1, reference.simple_rnn_step, own.simple_rnn_step,
                reference.simple_rnn_step_backward, own.simple_rnn_step_backward},
        Kernels{3, reference.gru_step, own.gru_step, reference.gru_step_backward,
                own.gru_step_backward},
        Kernels{4, reference.lstm_step, own.lstm_step, reference.lstm_step_backward,
                own.lstm_step_backward}}) {
    const Matrix<T> gates = table(k.gates * units), sums = table(k.gates * units);
    const Matrix<T> state = table(units), cell = table(units), dy = table(units);
    const Matrix<T> dstate = table(units), dcell = table(units);
    std::vector<Matrix<T>> results[2];
    for (const bool portable : {true, false}) {
      Matrix<T> g = gates, next(rows, units), y(rows, units), next_cell(rows, units);
      Matrix<T> dc = dcell, dg(rows, gates.columns), ds(rows, gates.columns), more(rows, units);
      const kernels::RowLengths<T> at{lengths.data(), lengths.stride, 1};
      const auto in = [](const Matrix<T>& m) {
        return kernels::StepRows<const T>{m.data(), m.stride};
      };
      const auto out = [](Matrix<T>& m) { return kernels::StepRows<T>{m.data(), m.stride}; };
      (portable ? k.step : k.own_step)({rows, units, at, out(g), in(sums), in(state), out(next),
                                        out(y), in(cell), out(next_cell)});
      (portable ? k.back
                : k.own_back)({rows, units, at, in(g), in(sums), in(state), in(cell), in(next_cell),
                               in(dy), in(dstate), out(dc), out(dg), out(ds), out(more)});
      for (int64_t i = 0; i < rows; ++i) {
        if (lengths(i, 0) > 1) continue;  // what rows that are over do
        CHECK(next(i, 0) == state(i, 0));
        CHECK(y(i, units - 1) == T(0));
        CHECK(dg(i, 0) == T(0));
        CHECK(dg(i, gates.columns - 1) == T(0));
        CHECK(more(i, units - 1) == dstate(i, units - 1));
      }
      results[portable ? 0 : 1] = {g, next, y, next_cell, dc, dg, ds, more};
    }
    for (size_t i = 0; i < results[0].size(); ++i) CHECK(same_bits(results[0][i], results[1][i]));
  }
}

}  // namespace

TEST_CASE_TEMPLATE("steps of cells have the same bits on every instruction set", T, float, double) {
  for (const std::string& isa : vector_isas()) {
    CAPTURE(isa);
    for (const int64_t units : {1, 7, 16, 33}) {
      CAPTURE(units);
      check_kernels<T>(isa, 5, units);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
// Recurrent layers against plain loops, to the bit: forward, backward and gradients in the order
// that engine/stages/recurrence.hpp states.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/graph.hpp"
#include "chainrule/recurrent_layers.hpp"
#include "matrices.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;
using kernels::MathFunction;

template <class T>
T math(MathFunction function, T x) {
  T y = 0;
  kernels::active<T>().math(function, &x, &y, 1);
  return y;
}
template <class T>
T sigmoid(T x) {
  return math(MathFunction::sigmoid, x);
}
template <class T>
T tanh_of(T x) {
  return math(MathFunction::tanh, x);
}

struct Sizes {
  int64_t rows, time, features, units;
};

template <class T>
using Numbers = std::vector<T>;

template <class T>
Numbers<T> drawn(int64_t size, uint64_t seed) {
  Draws draws(seed);
  Numbers<T> values;
  for (int64_t i = 0; i < size; ++i) values.push_back(static_cast<T>(draws.uniform(-1, 1)));
  return values;
}

/// sums(j) = start(j) + sum over i of x(i) w(i, j)
template <class T>
Numbers<T> product(Numbers<T> sums, const T* x, const Numbers<T>& w, int64_t terms) {
  const auto columns = static_cast<int64_t>(sums.size());
  for (int64_t j = 0; j < columns; ++j)
    for (int64_t i = 0; i < terms; ++i)
      sums[j] = std::fma(x[i], w[static_cast<size_t>(i * columns + j)], sums[j]);
  return sums;
}

/// sum over j of d(j) w(i, j)
template <class T>
T transposed(const Numbers<T>& d, const Numbers<T>& w, int64_t i) {
  T sum = 0;
  for (size_t j = 0; j < d.size(); ++j)
    sum = std::fma(d[j], w[static_cast<size_t>(i) * d.size() + j], sum);
  return sum;
}

/// What one row and step keeps.
template <class T>
struct Kept {
  Numbers<T> gates, sums, h_before, c_before, c;
};

/// A layer in plain loops, with the gradients of sum(y dy).
template <class T>
struct Plain {
  std::string kind;
  Sizes n;
  bool sequences, backwards;
  Numbers<T> w, u, b, c;  // c: recurrent_bias
  Numbers<T> y, dx, dw, du, db, dc;

  int64_t gates() const { return kind == "simple_rnn" ? 1 : kind == "gru" ? 3 : 4; }

  void step(const T* x, Kept<T>& k, Numbers<T>& h, Numbers<T>& cell) const {
    const auto at = [&](const Numbers<T>& v, int64_t gate, int64_t i) {
      return v[static_cast<size_t>(gate * n.units + i)];
    };
    k.h_before = h;
    k.c_before = cell;
    k.gates = product(b, x, w, n.features);
    if (kind == "gru") {
      k.sums = product(c, h.data(), u, n.units);
    } else {
      k.gates = product(k.gates, h.data(), u, n.units);
    }
    for (int64_t i = 0; i < n.units; ++i) {
      const auto set = [&](int64_t gate, T value) {
        k.gates[static_cast<size_t>(gate * n.units + i)] = value;
      };
      if (kind == "simple_rnn") {
        set(0, tanh_of(at(k.gates, 0, i)));
        h[i] = at(k.gates, 0, i);
      } else if (kind == "gru") {
        set(0, sigmoid(at(k.gates, 0, i) + at(k.sums, 0, i)));
        set(1, sigmoid(at(k.gates, 1, i) + at(k.sums, 1, i)));
        set(2, tanh_of(std::fma(at(k.gates, 1, i), at(k.sums, 2, i), at(k.gates, 2, i))));
        h[i] = std::fma(at(k.gates, 0, i), h[i] - at(k.gates, 2, i), at(k.gates, 2, i));
      } else {
        for (const int64_t gate : {0, 1, 3}) set(gate, sigmoid(at(k.gates, gate, i)));
        set(2, tanh_of(at(k.gates, 2, i)));
        cell[i] = std::fma(at(k.gates, 0, i), at(k.gates, 2, i), at(k.gates, 1, i) * cell[i]);
        h[i] = at(k.gates, 3, i) * tanh_of(cell[i]);
      }
    }
    k.c = cell;
  }

  /// dh and dcell of the state behind a step; they become those before it, but for what the sums
  /// give. `dsums`: of the sums over the state.
  void step_back(const Kept<T>& k, Numbers<T>& dh, Numbers<T>& dcell, Numbers<T>& dgates,
                 Numbers<T>& dsums) const {
    const T one = 1;
    for (int64_t i = 0; i < n.units; ++i) {
      const auto gate = [&](int64_t number) {
        return k.gates[static_cast<size_t>(number * n.units + i)];
      };
      const auto set = [&](int64_t number, T value, T of_state) {
        dgates[static_cast<size_t>(number * n.units + i)] = value;
        dsums[static_cast<size_t>(number * n.units + i)] = of_state;
      };
      const auto both = [&](int64_t number, T value) { set(number, value, value); };
      const T d = dh[i];
      dh[i] = 0;
      if (kind == "simple_rnn") {
        const T h = gate(0);
        both(0, d * (one - h * h));
      } else if (kind == "gru") {
        const T z = gate(0), r = gate(1), s = gate(2);
        const T ds = d * (one - z) * std::fma(-s, s, one);
        both(0, d * (k.h_before[i] - s) * (z * (one - z)));
        both(1, ds * k.sums[static_cast<size_t>(2 * n.units + i)] * (r * (one - r)));
        set(2, ds, ds * r);
        dh[i] = d * z;
      } else {
        const T in = gate(0), forget = gate(1), g = gate(2), out = gate(3);
        const T squashed = tanh_of(k.c[i]);
        const T dc_now = std::fma(d * out, std::fma(-squashed, squashed, one), dcell[i]);
        both(0, dc_now * g * (in * (one - in)));
        both(1, dc_now * k.c_before[i] * (forget * (one - forget)));
        both(2, dc_now * in * std::fma(-g, g, one));
        both(3, d * squashed * (out * (one - out)));
        dcell[i] = dc_now * forget;
      }
    }
  }

  void run(const Numbers<T>& x, const Numbers<T>& dy) {
    const int64_t columns = gates() * n.units;
    y.assign(static_cast<size_t>(n.rows * (sequences ? n.time : 1) * n.units), 0);
    dx.assign(x.size(), 0);
    dw.assign(w.size(), 0);
    du.assign(u.size(), 0);
    db.assign(b.size(), 0);
    dc.assign(c.size(), 0);
    for (int64_t row = 0; row < n.rows; ++row) {
      std::vector<Kept<T>> kept(static_cast<size_t>(n.time));
      std::vector<Numbers<T>> dgates(kept.size(), Numbers<T>(static_cast<size_t>(columns)));
      std::vector<Numbers<T>> dsums = dgates;
      Numbers<T> h(static_cast<size_t>(n.units)), cell = h, dh = h, dcell = h;
      const auto position = [&](int64_t s) { return backwards ? n.time - 1 - s : s; };
      const auto x_at = [&](int64_t t) { return x.data() + (row * n.time + t) * n.features; };
      const auto out = [&](int64_t t) { return ((sequences ? row * n.time + t : row)) * n.units; };
      for (int64_t s = 0; s < n.time; ++s) {
        const int64_t t = position(s);
        step(x_at(t), kept[static_cast<size_t>(t)], h, cell);
        if (sequences || s + 1 == n.time) std::copy(h.begin(), h.end(), y.begin() + out(t));
      }
      if (!sequences) std::copy_n(dy.begin() + out(0), n.units, dh.begin());
      for (int64_t s = n.time; s-- > 0;) {
        const auto t = static_cast<size_t>(position(s));
        for (int64_t i = 0; sequences && i < n.units; ++i)
          dh[i] += dy[static_cast<size_t>(out(position(s)) + i)];
        step_back(kept[t], dh, dcell, dgates[t], dsums[t]);
        for (int64_t i = 0; i < n.units; ++i) dh[i] = transposed(dsums[t], u, i) + dh[i];
      }
      for (size_t t = 0; t < kept.size(); ++t) {
        const T* x_t = x_at(static_cast<int64_t>(t));
        for (int64_t i = 0; i < n.features; ++i)
          dx[static_cast<size_t>(x_t - x.data() + i)] = transposed(dgates[t], w, i);
        for (int64_t j = 0; j < columns; ++j) {
          const auto add = [&](Numbers<T>& sums, int64_t i, T left, T right) {
            T& sum = sums[static_cast<size_t>(i * columns + j)];
            sum = std::fma(left, right, sum);
          };
          for (int64_t i = 0; i < n.features; ++i) add(dw, i, x_t[i], dgates[t][j]);
          for (int64_t i = 0; i < n.units; ++i) add(du, i, kept[t].h_before[i], dsums[t][j]);
          if (!db.empty()) db[j] += dgates[t][j];
          if (!dc.empty()) dc[j] += dsums[t][j];
        }
      }
    }
  }
};

template <class Layer>
AnyLayer layer_of(const Sizes& n, bool sequences, bool backwards) {
  Layer layer(n.units);
  layer.return_sequences = sequences;
  layer.go_backwards = backwards;
  return layer;
}

template <class T>
void check(const AnyLayer& layer, const Sizes& n, bool sequences, bool backwards) {
  CAPTURE(layer->kind());
  CAPTURE(n.rows);
  CAPTURE(n.units);
  CAPTURE(sequences);
  CAPTURE(backwards);
  Graph graph;
  graph.output(graph.add(layer, graph.input({n.time, n.features}, "x"), "r"));
  Network<T> network(graph, 7);
  uint64_t seed = 1;
  for (const ParameterInfo& info : network.parameters())
    network.set_parameter(info.name, drawn<T>(info.shape.size(), seed++).data());
  Plain<T> plain{std::string(layer->kind()),
                 n,
                 sequences,
                 backwards,
                 parameter(network, "r.weight"),
                 parameter(network, "r.recurrent_weight"),
                 parameter(network, "r.bias"),
                 parameter(network, "r.recurrent_bias"),
                 {},
                 {},
                 {},
                 {},
                 {},
                 {}};
  const int64_t inputs = n.time * n.features, outputs = (sequences ? n.time : 1) * n.units;
  const Numbers<T> x = drawn<T>(n.rows * inputs, 11), dy = drawn<T>(n.rows * outputs, 12);
  plain.run(x, dy);
  for (const int threads : {1, 2, 3, 7}) {
    CAPTURE(threads);
    Numbers<T> y(plain.y.size()), dx(plain.dx.size());
    network.forward(view(x, inputs), true, threads, y.data());
    network.backward(view(dy, outputs), dx.data());
    CHECK(y == plain.y);
    CHECK(dx == plain.dx);
    CHECK(gradient(network, network.parameters()[0]) == plain.dw);
    CHECK(gradient(network, network.parameters()[1]) == plain.du);
    CHECK(gradient(network, network.parameters()[2]) == plain.db);
    if (!plain.dc.empty()) CHECK(gradient(network, network.parameters()[3]) == plain.dc);
    network.predict(view(x, inputs), 5, threads, y.data());
    CHECK(y == plain.y);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("recurrent layers are plain loops to the bit", T, float, double) {
  for (const Sizes& n :
       {Sizes{1, 4, 3, 5}, Sizes{19, 3, 2, 16}, Sizes{37, 4, 17, 9}, Sizes{97, 7, 20, 40}}) {
    for (const bool sequences : {false, true}) {
      for (const bool backwards : {false, true}) {
        check<T>(layer_of<SimpleRNN>(n, sequences, backwards), n, sequences, backwards);
        check<T>(layer_of<GRU>(n, sequences, backwards), n, sequences, backwards);
        check<T>(layer_of<LSTM>(n, sequences, backwards), n, sequences, backwards);
      }
    }
  }
}

namespace {

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

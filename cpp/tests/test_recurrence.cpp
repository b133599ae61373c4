// SPDX-License-Identifier: Apache-2.0
// Recurrent layers against plain loops, to the bit: forward, backward and gradients in the order
// that engine/stages/recurrence.hpp and recurrent_training.hpp state.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/graph.hpp"
#include "chainrule/random.hpp"
#include "chainrule/recurrent_layers.hpp"
#include "matrices.hpp"
#include "networks.hpp"
#include "plain_products.hpp"

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
Numbers<T> drawn(int64_t size, uint64_t seed) {
  Draws draws(seed);
  Numbers<T> values;
  for (int64_t i = 0; i < size; ++i) values.push_back(static_cast<T>(draws.uniform(-1, 1)));
  return values;
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
  Numbers<T> w, u, b, c;         // c: recurrent_bias
  Numbers<T> factors;            // of dropout: rows x units
  int64_t truncate;              // 0: never
  bool final_state;              // behind the sequence, if there is one
  Numbers<T> first, first_cell;  // states to begin with: rows x units
  Numbers<T> y, dx, dw, du, db, dc, dfirst, dfirst_cell;

  int64_t states() const { return !final_state ? 0 : kind == "lstm" ? 2 : 1; }
  /// Of a row of y.
  int64_t positions() const { return (sequences ? n.time : 1 - final_state) + states(); }
  int64_t gates() const { return kind == "simple_rnn" ? 1 : kind == "gru" ? 3 : 4; }

  /// What of a row of the state enters the product with u.
  Numbers<T> dropped(const Numbers<T>& h, int64_t row) const {
    Numbers<T> product_input;
    for (int64_t i = 0; i < n.units; ++i)
      product_input.push_back(h[i] * factors[static_cast<size_t>(row * n.units + i)]);
    return product_input;
  }

  void step(const T* x, Kept<T>& k, Numbers<T>& h, Numbers<T>& cell, int64_t row) const {
    const auto at = [&](const Numbers<T>& v, int64_t gate, int64_t i) {
      return v[static_cast<size_t>(gate * n.units + i)];
    };
    k.h_before = h;
    k.c_before = cell;
    k.gates = product(b, x, w, n.features);
    if (kind == "gru") {
      k.sums = product(c, dropped(h, row).data(), u, n.units);
    } else {
      k.gates = product(k.gates, dropped(h, row).data(), u, n.units);
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
    y.assign(static_cast<size_t>(n.rows * positions() * n.units), 0);
    dx.assign(x.size(), 0);
    dw.assign(w.size(), 0);
    du.assign(u.size(), 0);
    db.assign(b.size(), 0);
    dc.assign(c.size(), 0);
    dfirst.clear();
    dfirst_cell.clear();
    for (int64_t row = 0; row < n.rows; ++row) {
      std::vector<Kept<T>> kept(static_cast<size_t>(n.time));
      std::vector<Numbers<T>> dgates(kept.size(), Numbers<T>(static_cast<size_t>(columns)));
      std::vector<Numbers<T>> dsums = dgates;
      const auto row_of = [&](const Numbers<T>& rows) {
        return Numbers<T>(rows.begin() + row * n.units, rows.begin() + (row + 1) * n.units);
      };
      Numbers<T> h = row_of(first), cell = row_of(first_cell);
      Numbers<T> dh(static_cast<size_t>(n.units)), dcell = dh;
      const Numbers<T> factor = row_of(factors);
      const auto position = [&](int64_t s) { return backwards ? n.time - 1 - s : s; };
      const auto x_at = [&](int64_t t) { return x.data() + (row * n.time + t) * n.features; };
      const auto out = [&](int64_t t) {
        return (row * positions() + (sequences ? t : 0)) * n.units;
      };
      for (int64_t s = 0; s < n.time; ++s) {
        const int64_t t = position(s);
        step(x_at(t), kept[static_cast<size_t>(t)], h, cell, row);
        if (sequences) std::copy(h.begin(), h.end(), y.begin() + out(t));
      }
      const int64_t final_h = out(n.time);
      if (final_state || !sequences) {
        std::copy(h.begin(), h.end(), y.begin() + final_h);
        std::copy_n(dy.begin() + final_h, n.units, dh.begin());
      }
      if (states() == 2) {
        std::copy(cell.begin(), cell.end(), y.begin() + final_h + n.units);
        std::copy_n(dy.begin() + final_h + n.units, n.units, dcell.begin());
      }
      for (int64_t s = n.time; s-- > 0;) {
        const auto t = static_cast<size_t>(position(s));
        for (int64_t i = 0; sequences && i < n.units; ++i)
          dh[i] += dy[static_cast<size_t>(out(position(s)) + i)];
        step_back(kept[t], dh, dcell, dgates[t], dsums[t]);
        for (int64_t i = 0; i < n.units; ++i)
          dh[i] = transposed(dsums[t], u, i) * factor[i] + dh[i];
        if (s > 0 && truncate > 0 && std::max(position(s), position(s - 1)) % truncate == 0)
          dh = dcell = Numbers<T>(dh.size());
      }
      dfirst.insert(dfirst.end(), dh.begin(), dh.end());
      dfirst_cell.insert(dfirst_cell.end(), dcell.begin(), dcell.end());
      for (size_t t = 0; t < kept.size(); ++t) {
        const T* x_t = x_at(static_cast<int64_t>(t));
        const Numbers<T> h_before = dropped(kept[t].h_before, row);
        for (int64_t i = 0; i < n.features; ++i)
          dx[static_cast<size_t>(x_t - x.data() + i)] = transposed(dgates[t], w, i);
        add_outer(dw, x_t, dgates[t]);
        add_outer(du, h_before.data(), dsums[t]);
        for (int64_t j = 0; !db.empty() && j < columns; ++j) db[j] += dgates[t][j];
        for (int64_t j = 0; !dc.empty() && j < columns; ++j) dc[j] += dsums[t][j];
      }
    }
  }
};

/// What a case varies besides sizes.
struct Options {
  bool sequences = false, backwards = false;
  bool given_states = false;
  double dropout = 0.0;
  int64_t truncate = 0;
  bool final_state = false;
};

template <class Layer>
AnyLayer layer_of(const Sizes& n, const Options& o) {
  Layer layer(n.units);
  layer.return_sequences = o.sequences;
  layer.go_backwards = o.backwards;
  layer.recurrent_dropout = o.dropout;
  layer.truncate_gradient = o.truncate;
  layer.return_state = o.final_state;
  return layer;
}

/// The factors of the only layer at the first step.
template <class T>
Numbers<T> dropout_factors(const Sizes& n, double rate, uint64_t seed) {
  Numbers<T> factors;
  const int64_t blocks = (n.units + 3) / 4;
  for (int64_t row = 0; row < n.rows; ++row)
    for (int64_t i = 0; i < n.units; ++i) {
      const auto block = static_cast<uint64_t>(row * blocks + i / 4);
      const uint32_t word = random_block(seed, RandomUse::dropout, 0, block)[i % 4];
      factors.push_back(word < static_cast<uint32_t>(std::ldexp(rate, 32))
                            ? T(0)
                            : static_cast<T>(1.0 / (1.0 - rate)));
    }
  return factors;
}

template <class Layer, class T>
void check(const Sizes& n, const Options& o) {
  const AnyLayer layer = layer_of<Layer>(n, o);
  CAPTURE(layer->kind());
  CAPTURE(n.rows);
  CAPTURE(n.units);
  CAPTURE(o.sequences);
  CAPTURE(o.backwards);
  CAPTURE(o.final_state);
  const bool has_cell = o.given_states && layer->kind() == "lstm";
  Graph graph;
  std::vector<Graph::Tensor> read{graph.input({n.time, n.features}, "x")};
  if (o.given_states) read.push_back(graph.input(n.units, "h"));
  if (has_cell) read.push_back(graph.input(n.units, "c"));
  graph.output(graph.add(layer, read, "r"));
  Network<T> network(graph, 7);
  uint64_t seed = 1;
  for (const ParameterInfo& info : network.parameters())
    network.set_parameter(info.name, drawn<T>(info.shape.size(), seed++).data());
  const int64_t units = n.rows * n.units;
  const Numbers<T> zeros(static_cast<size_t>(units));
  Plain<T> plain{std::string(layer->kind()),
                 n,
                 o.sequences,
                 o.backwards,
                 parameter(network, "r.weight"),
                 parameter(network, "r.recurrent_weight"),
                 parameter(network, "r.bias"),
                 parameter(network, "r.recurrent_bias"),
                 dropout_factors<T>(n, o.dropout, 7),
                 o.truncate,
                 o.final_state,
                 o.given_states ? drawn<T>(units, 13) : zeros,
                 has_cell ? drawn<T>(units, 14) : zeros,
                 {},
                 {},
                 {},
                 {},
                 {},
                 {},
                 {},
                 {}};
  const int64_t inputs = n.time * n.features, outputs = plain.positions() * n.units;
  const Numbers<T> x = drawn<T>(n.rows * inputs, 11), dy = drawn<T>(n.rows * outputs, 12);
  std::vector<RowsView> views{view(x, inputs)};
  if (o.given_states) views.push_back(view(plain.first, n.units));
  if (has_cell) views.push_back(view(plain.first_cell, n.units));
  plain.run(x, dy);
  Numbers<T> dx;  // of all inputs, side by side
  for (int64_t row = 0; row < n.rows; ++row) {
    const auto add = [&](const Numbers<T>& from, int64_t columns) {
      dx.insert(dx.end(), from.begin() + row * columns, from.begin() + (row + 1) * columns);
    };
    add(plain.dx, inputs);
    if (o.given_states) add(plain.dfirst, n.units);
    if (has_cell) add(plain.dfirst_cell, n.units);
  }
  Numbers<T> predicted = plain.y;
  if (o.dropout > 0) {
    Plain<T> whole = plain;
    whole.factors.assign(whole.factors.size(), T(1));
    whole.run(x, dy);
    predicted = whole.y;
  }
  for (const int threads : {1, 2, 3, 7}) {
    CAPTURE(threads);
    Numbers<T> y(plain.y.size()), found(dx.size());
    network.forward(views, true, threads, y.data());
    network.backward(view(dy, outputs), found.data());
    CHECK(y == plain.y);
    CHECK(found == dx);
    CHECK(gradient(network, network.parameters()[0]) == plain.dw);
    CHECK(gradient(network, network.parameters()[1]) == plain.du);
    CHECK(gradient(network, network.parameters()[2]) == plain.db);
    if (!plain.dc.empty()) CHECK(gradient(network, network.parameters()[3]) == plain.dc);
    network.predict(views, 5, threads, y.data());
    CHECK(y == predicted);
  }
}

template <class T>
void check_all(const Sizes& n, Options o) {
  for (const bool sequences : {false, true}) {
    for (const bool backwards : {false, true}) {
      o.sequences = sequences;
      o.backwards = backwards;
      check<SimpleRNN, T>(n, o);
      check<GRU, T>(n, o);
      check<LSTM, T>(n, o);
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("recurrent layers are plain loops to the bit", T, float, double) {
#ifdef CHAINRULE_TEST_QUICK
  constexpr int64_t time = 3;
#else
  constexpr int64_t time = 7;
#endif
  for (const Sizes& n :
       {Sizes{1, 4, 3, 5}, Sizes{19, 3, 2, 16}, Sizes{37, 4, 17, 9}, Sizes{97, time, 20, 40}})
    check_all<T>(n, {});
}

TEST_CASE_TEMPLATE("dropout, truncation, first and final states are plain loops", T, float,
                   double) {
  for (const Sizes& n : {Sizes{1, 4, 3, 5}, Sizes{37, 7, 17, 9}}) {
    check_all<T>(n, {.given_states = true});
    check_all<T>(n, {.dropout = 0.4});
    check_all<T>(n, {.truncate = 3});
    check_all<T>(n, {.given_states = true, .dropout = 0.25, .truncate = 2});
    check_all<T>(n, {.given_states = true, .dropout = 0.25, .truncate = 2, .final_state = true});
    check_all<T>(n, {.final_state = true});
  }
}

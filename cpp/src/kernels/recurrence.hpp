// SPDX-License-Identifier: Apache-2.0
// What recurrent layers do in a time step with the sums of their gates, element by element, and its
// derivatives. s: sums, h: state, h': state before the step, * element by element.
//
//   SimpleRNN   h = f(s), which the activation's own kernels work out
//
//   GRU         z = sigmoid(a_z + s_z)      a: sums over the inputs
//               r = sigmoid(a_r + s_r)      s: sums over the state
//               n = tanh(a_n + r * s_n)
//               h = n + z * (h' - n)
//
//   LSTM        i, f, o = sigmoid(s_i), sigmoid(s_f), sigmoid(s_o)
//               g = tanh(s_g)
//               c = f * c' + i * g
//               h = o * tanh(c)
//
// Sources: Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014,
// with the reset gate behind the product as in cuDNN; Hochreiter and Schmidhuber, "Long short-term
// memory", Neural Computation 9, 1997, with the forget gate of Gers et al., 2000.
#pragma once

#include "kernels/math/sigmoid.hpp"
#include "kernels/math/tanh.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// Up to a vector of numbers of a gate, behind which the next gate's lie.
template <class T>
CHAINRULE_INLINE Vec<T> load_some(const T* p, int64_t count) {
  if (count >= kLanes<T>) return load(p);
  Vec<T> v{};
  for (int64_t i = 0; i < count; ++i) v[i] = p[i];
  return v;
}
template <class T>
CHAINRULE_INLINE void store_some(T* p, Vec<T> v, int64_t count) {
  if (count >= kLanes<T>) return store(p, v);
  for (int64_t i = 0; i < count; ++i) p[i] = v[i];
}

/// A vector of a row at one step: where it lies, and how many of its numbers are a gate's.
struct Place {
  int64_t row, column, units;
  CHAINRULE_INLINE int64_t count() const { return units - column; }

  template <class N>
  CHAINRULE_INLINE N* of(const StepRows<N>& rows) const {
    return rows.data + row * rows.stride + column;
  }
  template <class N>
  CHAINRULE_INLINE auto get(const StepRows<N>& rows) const {
    return load(of(rows));
  }
  template <class N>
  CHAINRULE_INLINE auto gate(const StepRows<N>& rows, int64_t number) const {
    return load_some(of(rows) + number * units, count());
  }
  template <class T>
  CHAINRULE_INLINE void set(const StepRows<T>& rows, Vec<T> v) const {
    if (rows.data) store(of(rows), v);
  }
  template <class T>
  CHAINRULE_INLINE void set_gate(const StepRows<T>& rows, int64_t number, Vec<T> v) const {
    store_some(of(rows) + number * units, v, count());
  }
};

template <class T>
CHAINRULE_INLINE bool goes_on(const RowLengths<T>& lengths, int64_t row) {
  return !lengths.data || T(lengths.position) < lengths.data[row * lengths.stride];
}

/// Goes through the vectors of rows that go on, by ended(place) or by active(place) for each of
/// the passes. What waits for another function of the same place is in a pass behind it, since a
/// processor then has several places to work on.
template <class Args, class Ended, class... Active>
CHAINRULE_INLINE void each_place(const Args& f, int lanes, Ended ended, Active... active) {
  for (int64_t i = 0; i < f.rows; ++i) {
    const auto pass = [&](auto use) CHAINRULE_LAMBDA {
      for (int64_t j = 0; j < f.units; j += lanes) use(Place{i, j, f.units});
    };
    if (goes_on(f.lengths, i)) {
      (pass(active), ...);
    } else {
      pass(ended);
    }
  }
}

template <class T, class... Active>
CHAINRULE_INLINE void each_step_place(const RecurrentStepArgs<T>& f, Active... active) {
  each_place(
      f, kLanes<T>,
      [&](Place at) CHAINRULE_LAMBDA {
        at.set(f.next_state, at.get(f.state));
        at.set(f.y, Vec<T>{});
        if (f.next_cell.data) at.set(f.next_cell, at.get(f.cell));
      },
      active...);
}

/// The gradient with respect to the state behind the step, of rows that go on.
template <class T>
CHAINRULE_INLINE Vec<T> state_gradient(const RecurrentBackwardArgs<T>& f, Place at) {
  return f.dy.data ? at.get(f.dstate) + at.get(f.dy) : at.get(f.dstate);
}

/// Where a row does not go on, the state before the step is the one behind it.
template <class T, class Active>
CHAINRULE_INLINE void each_backward_place(const RecurrentBackwardArgs<T>& f, int64_t gates,
                                          Active active) {
  each_place(
      f, kLanes<T>,
      [&](Place at) CHAINRULE_LAMBDA {
        for (int64_t gate = 0; gate < gates; ++gate) {
          at.set_gate(f.dgates, gate, Vec<T>{});
          if (f.dsums.data) at.set_gate(f.dsums, gate, Vec<T>{});
        }
        at.set(f.more, at.get(f.dstate));
      },
      active);
}

/// gates: f(s) already
template <class T>
void simple_rnn_step(const RecurrentStepArgs<T>& f) {
  each_step_place(f, [&](Place at) CHAINRULE_LAMBDA {
    const Vec<T> h = at.get(f.gates);
    at.set(f.next_state, h);
    at.set(f.y, h);
  });
}

/// dgates: the gradient with respect to f(s)
template <class T>
void simple_rnn_step_backward(const RecurrentBackwardArgs<T>& f) {
  each_backward_place(f, 1, [&](Place at) CHAINRULE_LAMBDA {
    at.set_gate(f.dgates, 0, state_gradient(f, at));
    at.set(f.more, Vec<T>{});
  });
}

template <class T>
void gru_step(const RecurrentStepArgs<T>& f) {
  each_step_place(
      f,
      [&](Place at) CHAINRULE_LAMBDA {
        at.set_gate(f.gates, 0, math::sigmoid<T>(at.gate(f.gates, 0) + at.gate(f.sums, 0)));
        at.set_gate(f.gates, 1, math::sigmoid<T>(at.gate(f.gates, 1) + at.gate(f.sums, 1)));
      },
      [&](Place at) CHAINRULE_LAMBDA {
        const Vec<T> r = at.gate(f.gates, 1);
        const Vec<T> n = math::tanh<T>(fma(r, at.gate(f.sums, 2), at.gate(f.gates, 2)));
        at.set_gate(f.gates, 2, n);
        const Vec<T> h = fma(at.gate(f.gates, 0), at.get(f.state) - n, n);
        at.set(f.next_state, h);
        at.set(f.y, h);
      });
}

template <class T>
void gru_step_backward(const RecurrentBackwardArgs<T>& f) {
  each_backward_place(f, 3, [&](Place at) CHAINRULE_LAMBDA {
    const Vec<T> one = broadcast(T(1));
    const Vec<T> z = at.gate(f.gates, 0);
    const Vec<T> r = at.gate(f.gates, 1);
    const Vec<T> n = at.gate(f.gates, 2);
    const Vec<T> dh = state_gradient(f, at);
    const Vec<T> dn = dh * (one - z) * fma(-n, n, one);
    const Vec<T> dr = dn * at.gate(f.sums, 2) * (r * (one - r));
    const Vec<T> dz = dh * (at.get(f.state) - n) * (z * (one - z));
    at.set_gate(f.dgates, 0, dz);
    at.set_gate(f.dgates, 1, dr);
    at.set_gate(f.dgates, 2, dn);
    at.set_gate(f.dsums, 0, dz);
    at.set_gate(f.dsums, 1, dr);
    at.set_gate(f.dsums, 2, dn * r);
    at.set(f.more, dh * z);
  });
}

template <class T>
void lstm_step(const RecurrentStepArgs<T>& f) {
  each_step_place(
      f,
      [&](Place at) CHAINRULE_LAMBDA {
        const Vec<T> i = math::sigmoid<T>(at.gate(f.gates, 0));
        const Vec<T> forget = math::sigmoid<T>(at.gate(f.gates, 1));
        const Vec<T> g = math::tanh<T>(at.gate(f.gates, 2));
        const Vec<T> o = math::sigmoid<T>(at.gate(f.gates, 3));
        at.set_gate(f.gates, 0, i);
        at.set_gate(f.gates, 1, forget);
        at.set_gate(f.gates, 2, g);
        at.set_gate(f.gates, 3, o);
        const Vec<T> c = fma(i, g, forget * at.get(f.cell));
        at.set(f.next_cell, c);
      },
      [&](Place at) CHAINRULE_LAMBDA {
        const Vec<T> h = at.gate(f.gates, 3) * math::tanh<T>(at.get(f.next_cell));
        at.set(f.next_state, h);
        at.set(f.y, h);
      });
}

template <class T>
void lstm_step_backward(const RecurrentBackwardArgs<T>& f) {
  each_backward_place(f, 4, [&](Place at) CHAINRULE_LAMBDA {
    const Vec<T> one = broadcast(T(1));
    const Vec<T> i = at.gate(f.gates, 0);
    const Vec<T> forget = at.gate(f.gates, 1);
    const Vec<T> g = at.gate(f.gates, 2);
    const Vec<T> o = at.gate(f.gates, 3);
    const Vec<T> squashed = math::tanh<T>(at.get(f.next_cell));
    const Vec<T> dh = state_gradient(f, at);
    const Vec<T> dc = fma(dh * o, fma(-squashed, squashed, one), at.get(f.dcell));
    at.set_gate(f.dgates, 0, dc * g * (i * (one - i)));
    at.set_gate(f.dgates, 1, dc * at.get(f.cell) * (forget * (one - forget)));
    at.set_gate(f.dgates, 2, dc * i * fma(-g, g, one));
    at.set_gate(f.dgates, 3, dh * squashed * (o * (one - o)));
    at.set(f.dcell, dc * forget);
    at.set(f.more, Vec<T>{});
  });
}

}  // namespace

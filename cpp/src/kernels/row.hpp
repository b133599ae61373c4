// SPDX-License-Identifier: Apache-2.0
// One row through a dense layer and its activation: the product of the forward pass, with the same
// sums in the same order, but shaped for a matrix that is used once and not again.
#pragma once

#include "kernels/activation.hpp"
#include "kernels/multiply.hpp"
#include "kernels/nonzero.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// Panels worked on at once, since a single row has so few sums that each would wait for itself.
constexpr int kRowPanels = kPanelVectors < 8 ? 8 / kPanelVectors : 1;

/// Lines of columns worked on at once, likewise: as many sums as the registers hold.
#if defined(CHAINRULE_ISA_AVX512)
constexpr int kRowStrips = 8;
#elif defined(CHAINRULE_ISA_AVX2)
constexpr int kRowStrips = 6;
#elif defined(CHAINRULE_ISA_NEON)
constexpr int kRowStrips = 4;
#else
constexpr int kRowStrips = 1;
#endif

/// The terms of a row's sums, in rising order: all, some behind each other, those of a list, or
/// those whose bits are set. They call add(k, i) for row k of W and number i of x.
struct AllTerms {
  int64_t count;
  template <class Add>
  CHAINRULE_INLINE void each(Add add) const {
    for (int64_t k = 0; k < count; ++k) add(k, k);
  }
};
struct TermRange {
  const RowTerms& terms;  // by reference: they come in a register
  template <class Add>
  CHAINRULE_INLINE void each(Add add) const {
    for (int64_t i = 0; i < terms.count; ++i) add(terms.first + i, i);
  }
};
struct TermList {
  const int32_t* terms;
  int64_t count;
  template <class Add>
  CHAINRULE_INLINE void each(Add add) const {
    for (int64_t i = 0; i < count; ++i) add(terms[i], terms[i]);
  }
};
struct TermBits {
  uint64_t word;
  template <class Add>
  CHAINRULE_INLINE void each(Add add) const {
    for (uint64_t w = word; w; w &= w - 1) {
      const int64_t k = __builtin_ctzll(w);
      add(k, k);
    }
  }
};

/// NP panels of NV vectors each, the first of which begins at `column`.
template <class T, int NP, int NV, class Terms>
void row_strip(const RowArgs<T>& f, const T* x, T* y, int64_t column, Terms terms) {
  constexpr int64_t width = NV * kLanes<T>;
  const int64_t panel = width * f.shape.rows;
  const T* weight = f.weight + column * f.shape.rows;
  Vec<T> s[NP][NV];
  for (int p = 0; p < NP; ++p) {
    for (int v = 0; v < NV; ++v) {
      s[p][v] = f.bias ? load(f.bias + column + p * width + v * kLanes<T>) : Vec<T>{};
    }
  }
  terms.each([&](int64_t k, int64_t i) CHAINRULE_LAMBDA {
    const Vec<T> xk = broadcast(x[i]);
    for (int p = 0; p < NP; ++p) {
      for (int v = 0; v < NV; ++v) {
        s[p][v] = fma(xk, load(weight + p * panel + k * width + v * kLanes<T>), s[p][v]);
      }
    }
  });
  for (int p = 0; p < NP; ++p) {
    for (int v = 0; v < NV; ++v) store(y + column + p * width + v * kLanes<T>, s[p][v]);
  }
}

/// The whole panels left over, fewer than kRowPanels.
template <class T, int NP = kRowPanels - 1, class Terms>
CHAINRULE_INLINE void last_row_panels(const RowArgs<T>& f, const T* x, T* y, int64_t column,
                                      int64_t panels, Terms terms) {
  if constexpr (NP > 0) {
    if (panels == NP) {
      row_strip<T, NP, kPanelVectors>(f, x, y, column, terms);
    } else {
      last_row_panels<T, NP - 1>(f, x, y, column, panels, terms);
    }
  }
}

/// The last panel, where it is narrower than the others.
template <class T, int NV = kPanelVectors - 1, class Terms>
CHAINRULE_INLINE void narrow_row_panel(const RowArgs<T>& f, const T* x, T* y, int64_t column,
                                       int64_t vectors, Terms terms) {
  if constexpr (NV > 0) {
    if (vectors == NV) {
      row_strip<T, 1, NV>(f, x, y, column, terms);
    } else {
      narrow_row_panel<T, NV - 1>(f, x, y, column, vectors, terms);
    }
  }
}

template <class T, class Terms>
CHAINRULE_INLINE void all_row_panels(const RowArgs<T>& f, const T* x, T* y, Terms terms,
                                     bool backwards = false, int64_t together = kRowPanels) {
  const int64_t columns =
      (f.shape.columns + f.shape.alignment - 1) / f.shape.alignment * f.shape.alignment;
  const int64_t panels = columns / kPanelColumns<T>;
  const int64_t groups = panels / together;
  for (int64_t i = 0; i <= groups; ++i) {
    const int64_t panel = (backwards ? groups - i : i) * together;
    if (panel + together <= panels) {
      if (together == kRowPanels) {
        row_strip<T, kRowPanels, kPanelVectors>(f, x, y, panel * kPanelColumns<T>, terms);
      } else {
        row_strip<T, 1, kPanelVectors>(f, x, y, panel * kPanelColumns<T>, terms);
      }
    } else {
      last_row_panels<T>(f, x, y, panel * kPanelColumns<T>, panels - panel, terms);
      if constexpr (kPanelVectors * kVectorBytes > kRowAlignmentBytes) {
        const int64_t done = panels * kPanelColumns<T>;
        narrow_row_panel<T>(f, x, y, done, (columns - done) / kLanes<T>, terms);
      }
    }
  }
}

template <class T>
void activate_row(const RowArgs<T>& f, T* y) {
  if (f.activation.kind == ActivationKind::linear) return;
  activation_forward<T>({f.activation, 1, f.shape.columns, 0}, y, y);
}

template <class T>
[[gnu::noinline]] void forward_row_terms(const RowArgs<T>& f, const RowTerms& terms, const T* x,
                                         T* y) {
  // Panels of AVX-512 that L1 holds no two of come one by one: four sums in flight keep up with L2.
  const bool alone = sizeof(Vec<T>) == 64 && f.shape.rows * f.shape.columns * sizeof(T) > 32768;
  all_row_panels(f, x, y, TermRange{terms}, terms.backwards, alone ? 1 : kRowPanels);
  activate_row(f, y);
}

/// Without the terms that are zero.
template <class T>
void forward_row(const RowArgs<T>& f, const T* x, T* y, int32_t* terms) {
  const int64_t inputs = f.shape.rows;
  int64_t count = inputs;
  if (terms && inputs > kBitsPerWord) {
    count = 0;
    for (int64_t k = 0; k < inputs; k += kBitsPerWord)
      count += append_bits(nonzero_word(x + k, inputs - k), k, terms + count);
  } else if (terms) {
    all_row_panels(f, x, y, TermBits{nonzero_word(x, inputs)});
    return activate_row(f, y);
  }
  if (count == inputs) return forward_row_terms(f, {0, inputs, false}, x, y);
  all_row_panels(f, x, y, TermList{terms, count});
  activate_row(f, y);
}

/// The sums of N strips, as a list, since compilers keep that in registers.
template <class T, int N>
struct StripSums {
  static constexpr int NV = int(kRowAlignmentBytes / kVectorBytes);
  const T* weight;
  Vec<T> sums[NV];
  StripSums<T, N - 1> rest;

  CHAINRULE_INLINE void begin(const RowStrip<T>* strip) {
    weight = strip->weight;
    // Addresses that were written a moment ago are there earlier one by one than as a vector.
    asm("" : "+r"(weight));
    for (int v = 0; v < NV; ++v) sums[v] = load(strip->start + v * kLanes<T>);
    rest.begin(strip + 1);
  }
  CHAINRULE_INLINE void add(Vec<T> x, int64_t at) {
    for (int v = 0; v < NV; ++v) sums[v] = fma(x, load(weight + at + v * kLanes<T>), sums[v]);
    rest.add(x, at);
  }
  CHAINRULE_INLINE void end(const RowStrip<T>* strip) const {
    for (int v = 0; v < NV; ++v) store(strip->sums + v * kLanes<T>, sums[v]);
    rest.end(strip + 1);
  }
};
template <class T>
struct StripSums<T, 0> {
  CHAINRULE_INLINE void begin(const RowStrip<T>*) {}
  CHAINRULE_INLINE void add(Vec<T>, int64_t) {}
  CHAINRULE_INLINE void end(const RowStrip<T>*) const {}
};

template <class T, int N>
void sum_strips(const RowStrip<T>* strips, const T* x, int64_t terms, int64_t stride) {
  StripSums<T, N> sums;
  sums.begin(strips);
  int64_t at = 0;
  for (int64_t k = 0; k < terms; ++k) {
    sums.add(broadcast(x[k]), at);
    at += stride;
  }
  sums.end(strips);
}

/// As many at once as there are, up to N; returns how many.
template <class T, int N = kRowStrips>
int64_t sum_first_strips(const RowStrip<T>* strips, int64_t count, const T* x, int64_t terms,
                         int64_t stride) {
  if constexpr (N > 1) {
    if (count < N) return sum_first_strips<T, N - (N > 4 ? 2 : 1)>(strips, count, x, terms, stride);
  }
  sum_strips<T, N>(strips, x, terms, stride);
  return N;
}

template <class T>
void row_strips(const RowStrip<T>* strips, int64_t count, const T* x, int64_t terms,
                int64_t stride) {
  for (int64_t i = 0; i < count;) i += sum_first_strips(strips + i, count - i, x, terms, stride);
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// Products of rows with weights of 16 or 8 bits. A bfloat16 is widened exactly, so the bits are
// those of the same weights in float; sums of int8 are exact, so there is no order to keep.
#pragma once

#include "kernels/activation.hpp"
#include "kernels/multiply.hpp"
#include "kernels/row.hpp"
#include "kernels/simd.hpp"
#include "kernels/small_args.hpp"

namespace {

using namespace chainrule::kernels;

using Float = Vec<float>;
using Int = IVec<float>;

CHAINRULE_INLINE Int load_words(const int32_t* p) {
  return bits<float>(load(reinterpret_cast<const float*>(p)));
}

/// A word for two vectors of columns.
struct Bfloat16 {
  using Input = float;
  using Sum = Float;
  using Operand = Float;
  static constexpr int words(int vectors) { return (vectors + 1) / 2; }
  static int64_t terms(int64_t inputs) { return inputs; }

  static CHAINRULE_INLINE Sum start(const SmallProduct& f, int64_t column) {
    return f.bias ? load(f.bias + column) : Float{};
  }
  static CHAINRULE_INLINE Operand operand(const float* x) { return broadcast(*x); }
  template <int R, int NV>
  static CHAINRULE_INLINE void add(Sum (&s)[R][NV], const Operand (&x)[R], const int32_t* word) {
    for (int v = 0; v < NV; v += 2) {
      const Int pair = load_words(word + v / 2 * kLanes<float>);
      const Float low = from_bits<float>(pair << 16);
      const Float high = from_bits<float>(pair & ibroadcast<float>(int32_t(0xffff0000)));
      for (int r = 0; r < R; ++r) {
        s[r][v] = fma(x[r], low, s[r][v]);
        if (v + 1 < NV) s[r][v + 1] = fma(x[r], high, s[r][v + 1]);
      }
    }
  }
  static CHAINRULE_INLINE Float finish(const SmallProduct&, int64_t, Sum sum) { return sum; }
};

/// sum + the four products of the bytes of x, which are 0 to 127, and of w.
struct PlainDot {
  static CHAINRULE_INLINE Int add(Int sum, Int x, Int w) {
#if defined(CHAINRULE_ISA_AVX512)
    const __m512i pairs =
        _mm512_maddubs_epi16(reinterpret_cast<__m512i>(x), reinterpret_cast<__m512i>(w));
    return sum + reinterpret_cast<Int>(_mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
#elif defined(CHAINRULE_ISA_AVX2)
    const __m256i pairs =
        _mm256_maddubs_epi16(reinterpret_cast<__m256i>(x), reinterpret_cast<__m256i>(w));
    return sum + reinterpret_cast<Int>(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#else
    for (int byte = 24; byte >= 0; byte -= 8) sum += ((x << byte) >> 24) * ((w << byte) >> 24);
    return sum;
#endif
  }
};

#if defined(CHAINRULE_ISA_AVX512)
/// The same in one instruction, of processors with AVX-512 VNNI. It is spelt out, since a function
/// with a target of its own would not be inlined.
struct VnniDot {
  static CHAINRULE_INLINE Int add(Int sum, Int x, Int w) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "vm"(w));
    return sum;
  }
};
#endif

/// A word for four inputs of a column.
template <class Dot>
struct Int8 {
  using Input = int32_t;
  using Sum = Int;
  using Operand = Int;
  static constexpr int words(int vectors) { return vectors; }
  static int64_t terms(int64_t inputs) { return (inputs + kWordTerms - 1) / kWordTerms; }

  static CHAINRULE_INLINE Sum start(const SmallProduct& f, int64_t column) {
    return load_words(f.start + column);
  }
  static CHAINRULE_INLINE Operand operand(const int32_t* x) { return ibroadcast<float>(*x); }
  template <int R, int NV>
  static CHAINRULE_INLINE void add(Sum (&s)[R][NV], const Operand (&x)[R], const int32_t* word) {
    for (int v = 0; v < NV; ++v) {
      const Int w = load_words(word + v * kLanes<float>);
      for (int r = 0; r < R; ++r) s[r][v] = Dot::add(s[r][v], x[r], w);
    }
  }
  static CHAINRULE_INLINE Float finish(const SmallProduct& f, int64_t column, Sum sum) {
    const Float bias = f.bias ? load(f.bias + column) : Float{};
    return fma(__builtin_convertvector(sum, Float), load(f.scale + column), bias);
  }
};

/// R rows by NP panels of NV vectors each, the first of which begins at `column`.
template <class Format, int R, int NP, int NV, class Terms>
void small_strip(const SmallForwardArgs& a, const typename Format::Input* x, int64_t x_stride,
                 float* y, int64_t column, Terms terms) {
  constexpr int64_t width = NV * kLanes<float>;
  constexpr int64_t step = Format::words(NV) * kLanes<float>;  // words of a term in a panel
  constexpr int64_t whole = Format::words(kPanelVectors) * kLanes<float>;
  const SmallProduct& f = a.product;
  const int64_t count = Format::terms(f.shape.rows);
  const int32_t* words = f.words + column / kPanelColumns<float> * whole * count;
  typename Format::Sum s[NP][R][NV];
  for (int p = 0; p < NP; ++p)
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < NV; ++v)
        s[p][r][v] = Format::start(f, column + p * width + v * kLanes<float>);
  terms.each([&](int64_t k) CHAINRULE_LAMBDA {
    typename Format::Operand xk[R];
    for (int r = 0; r < R; ++r) xk[r] = Format::operand(x + r * x_stride + k);
    for (int p = 0; p < NP; ++p)
      Format::template add<R, NV>(s[p], xk, words + p * step * count + k * step);
  });
  for (int p = 0; p < NP; ++p)
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < NV; ++v) {
        const int64_t at = column + p * width + v * kLanes<float>;
        store(y + r * a.y_stride + at, Format::finish(f, at, s[p][r][v]));
      }
}

/// NV panels of kPanelVectors, or one narrower panel of NV vectors.
template <class Format, int R, bool Narrow, int N, class Terms>
CHAINRULE_INLINE void small_rest(const SmallForwardArgs& a, const typename Format::Input* x,
                                 int64_t x_stride, float* y, int64_t column, int64_t count,
                                 Terms terms) {
  if constexpr (N > 0) {
    if (count == N) {
      small_strip<Format, R, Narrow ? 1 : N, Narrow ? N : kPanelVectors>(a, x, x_stride, y, column,
                                                                         terms);
    } else {
      small_rest<Format, R, Narrow, N - 1>(a, x, x_stride, y, column, count, terms);
    }
  }
}

/// All columns of R rows, or of as many tiles of R rows as there are; returns how many rows.
template <class Format, int R, class Terms>
CHAINRULE_INLINE void small_panels(const SmallForwardArgs& a, const typename Format::Input* x,
                                   int64_t x_stride, float* y, int64_t rows, Terms terms) {
  constexpr int together = R == 1 ? kRowPanels : 1;
  const int64_t alignment = a.product.shape.alignment;
  const int64_t columns = (a.product.shape.columns + alignment - 1) / alignment * alignment;
  const int64_t panels = columns / kPanelColumns<float>;
  const auto each_tile = [&](auto strip) CHAINRULE_LAMBDA {
    for (int64_t row = 0; row < rows; row += R) strip(x + row * x_stride, y + row * a.y_stride);
  };
  int64_t panel = 0;
  for (; panel + together <= panels; panel += together)
    each_tile([&](auto* xr, float* yr) CHAINRULE_LAMBDA {
      small_strip<Format, R, together, kPanelVectors>(a, xr, x_stride, yr,
                                                      panel * kPanelColumns<float>, terms);
    });
  const int64_t done = panels * kPanelColumns<float>;
  each_tile([&](auto* xr, float* yr) CHAINRULE_LAMBDA {
    small_rest<Format, R, false, together - 1>(a, xr, x_stride, yr, panel * kPanelColumns<float>,
                                               panels - panel, terms);
    small_rest<Format, R, true, kPanelVectors - 1>(a, xr, x_stride, yr, done,
                                                   (columns - done) / kLanes<float>, terms);
  });
}

/// All rows: tiles of kTileRows, and the others one by one without the terms that are zero.
template <class Format, class Nonzeros>
CHAINRULE_INLINE void small_forward(const SmallForwardArgs& a, const typename Format::Input* x,
                                    int64_t x_stride, Nonzeros nonzeros) {
  const int64_t count = Format::terms(a.product.shape.rows);
  const int64_t tiled = a.rows / kTileRows * kTileRows;
  if (tiled) small_panels<Format, kTileRows>(a, x, x_stride, a.y, tiled, AllTerms{count});
  for (int64_t row = tiled; row < a.rows; ++row) {
    const int64_t listed = a.terms ? nonzeros(x + row * x_stride) : count;
    float* y = a.y + row * a.y_stride;
    if (listed < count) {
      small_panels<Format, 1>(a, x + row * x_stride, 0, y, 1, TermList{a.terms, listed});
    } else {
      small_panels<Format, 1>(a, x + row * x_stride, 0, y, 1, AllTerms{count});
    }
  }
  const ActivationFunction<float>& activation = a.product.activation;
  if (activation.kind == ActivationKind::linear) return;
  activation_forward<float>({activation, a.rows, a.product.shape.columns, a.y_stride}, a.y, a.y);
}

void bfloat16_forward(const SmallForwardArgs& a) {
  const int64_t inputs = a.product.shape.rows;
  small_forward<Bfloat16>(a, a.x, a.x_stride, [&](const float* x) CHAINRULE_LAMBDA {
    int64_t count = 0;
    for (int64_t k = 0; k < inputs; k += kBitsPerWord)
      count += append_bits(nonzero_word(x + k, inputs - k), k, a.terms + count);
    return count;
  });
}

/// q = x * scale + zero, limited and rounded, half up. A NaN is 0.
CHAINRULE_INLINE Int to_integers(Float x, const SmallProduct& f) {
  const Float q = fma(x, broadcast(f.input_scale), broadcast(f.zero));
  const Float limited = min<float>(max<float>(q, Float{}), broadcast(float(kLargestInteger)));
  return __builtin_convertvector(limited + broadcast(0.5f), Int);
}

// x: inputs, q: integer_stride(inputs) bytes
CHAINRULE_INLINE void quantize_row(const SmallProduct& f, const float* x, uint8_t* q) {
  typedef uint8_t Bytes __attribute__((vector_size(kLanes<float>)));
  constexpr int64_t lanes = kLanes<float>;
  const int64_t inputs = f.shape.rows;
  const auto quantize = [&](const float* from, int64_t at) CHAINRULE_LAMBDA {
    const Bytes bytes = __builtin_convertvector(to_integers(load(from), f), Bytes);
    __builtin_memcpy(q + at, &bytes, lanes);
  };
  int64_t k = 0;
  for (; k + lanes <= inputs; k += lanes) quantize(x + k, k);
  if (k == inputs) return;
  float rest[lanes] = {};
  for (int64_t i = k; i < inputs; ++i) rest[i - k] = x[i];
  quantize(rest, k);
}

template <class Dot>
void int8_forward(const SmallForwardArgs& a) {
  const SmallProduct& f = a.product;
  const int64_t stride = integer_stride(f.shape.rows);
  for (int64_t row = 0; row < a.rows; ++row)
    quantize_row(f, a.x + row * a.x_stride, a.scratch + row * stride);
  const int64_t words = Int8<Dot>::terms(f.shape.rows);
  small_forward<Int8<Dot>>(a, reinterpret_cast<const int32_t*>(a.scratch), stride / kWordTerms,
                           [&](const int32_t* q) CHAINRULE_LAMBDA {
                             // Vectors of words; behind the last one are others of the row.
                             int64_t count = 0;
                             for (int64_t g = 0; g < words; g += kLanes<float>) {
                               const Float nonzero =
                                   __builtin_convertvector(load_words(q + g) != 0, Float);
                               uint64_t set = nonzero_bits<float>(nonzero);
                               if (words - g < kLanes<float>)
                                 set &= (uint64_t{1} << (words - g)) - 1;
                               count += append_bits(set, g, a.terms + count);
                             }
                             return count;
                           });
}

}  // namespace

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

/// Rows of a tile, which leaves registers for widened weights.
constexpr int kSmallTileRows = kTileRows < 4 ? kTileRows : 4;

using Float = Vec<float>;
using Int = IVec<float>;

CHAINRULE_INLINE Int load_words(const int32_t* p) {
  return bits<float>(load(reinterpret_cast<const float*>(p)));
}

/// A word for two vectors of columns.
struct Bfloat16 {
  using Input = float;
  using Sum = Float;
  static constexpr int words(int vectors) { return (vectors + 1) / 2; }
  static int64_t terms(int64_t inputs) { return inputs; }
  static CHAINRULE_INLINE uint64_t nonzeros(const float* x) { return nonzero_bits<float>(load(x)); }

  static CHAINRULE_INLINE Sum start(const SmallProduct& f, int64_t column) {
    return f.bias ? load(f.bias + column) : Float{};
  }
  // An operand of x is loaded where it is used, since registers are few.
  template <int R, int NV>
  static CHAINRULE_INLINE void add(Sum (&s)[R][NV], const float* x, int64_t x_stride,
                                   const int32_t* word) {
    for (int v = 0; v < NV; v += 2) {
      const Int pair = load_words(word + v / 2 * kLanes<float>);
      const Float low = from_bits<float>(pair << 16);
      const Float high = from_bits<float>(pair & ibroadcast<float>(int32_t(0xffff0000)));
      for (int r = 0; r < R; ++r) {
        const Float xr = broadcast(x[r * x_stride]);
        s[r][v] = fma(xr, low, s[r][v]);
        if (v + 1 < NV) s[r][v + 1] = fma(xr, high, s[r][v + 1]);
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

/// The same in one instruction, of processors that have it. It is spelt out, since a function with
/// a target of its own would not be inlined.
#if defined(CHAINRULE_ISA_AVX512)
#define CHAINRULE_VNNI "vpdpbusd %2, %1, %0"
#elif defined(CHAINRULE_ISA_AVX2) && defined(CHAINRULE_HAVE_AVX_VNNI)
#define CHAINRULE_VNNI "%{vex%} vpdpbusd %2, %1, %0"
#endif
#ifdef CHAINRULE_VNNI
struct VnniDot {
  static CHAINRULE_INLINE Int add(Int sum, Int x, Int w) {
    asm(CHAINRULE_VNNI : "+v"(sum) : "v"(x), "vm"(w));
    return sum;
  }
};
#endif

/// A word for four inputs of a column.
template <class Dot>
struct Int8 {
  using Input = int32_t;
  using Sum = Int;
  static constexpr int words(int vectors) { return vectors; }
  static int64_t terms(int64_t inputs) { return (inputs + kWordTerms - 1) / kWordTerms; }
  static CHAINRULE_INLINE uint64_t nonzeros(const int32_t* x) {
    return nonzero_bits<float>(__builtin_convertvector(load_words(x) != 0, Float));
  }

  static CHAINRULE_INLINE Sum start(const SmallProduct& f, int64_t column) {
    return load_words(f.start + column);
  }
  template <int R, int NV>
  static CHAINRULE_INLINE void add(Sum (&s)[R][NV], const int32_t* x, int64_t x_stride,
                                   const int32_t* word) {
    for (int v = 0; v < NV; ++v) {
      const Int w = load_words(word + v * kLanes<float>);
      for (int r = 0; r < R; ++r)
        s[r][v] = Dot::add(s[r][v], ibroadcast<float>(x[r * x_stride]), w);
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
  terms.each([&](int64_t k, int64_t) CHAINRULE_LAMBDA {
    for (int p = 0; p < NP; ++p)
      Format::template add<R, NV>(s[p], x + k, x_stride, words + p * step * count + k * step);
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

/// Calls use(bits, first) for each vector of terms; a bit is set where the term is not zero.
template <class Format, class Use>
CHAINRULE_INLINE void each_nonzeros(const typename Format::Input* x, int64_t count, Use use) {
  for (int64_t k = 0; k < count; k += kLanes<float>) {
    const uint64_t set = Format::nonzeros(x + k);
    use(count - k < kLanes<float> ? set & ((uint64_t{1} << (count - k)) - 1) : set, k);
  }
}

/// A row, without the terms that are zero where they are worth a list.
template <class Format>
CHAINRULE_INLINE void small_row(const SmallForwardArgs& a, const typename Format::Input* x,
                                float* y) {
  const int64_t count = Format::terms(a.product.shape.rows);
  int64_t nonzeros = 0;
  if (a.terms) {
    each_nonzeros<Format>(x, count, [&](uint64_t set, int64_t) CHAINRULE_LAMBDA {
      nonzeros += __builtin_popcountll(set);
    });
  }
  if (!a.terms || nonzeros > count - count / 8)
    return small_panels<Format, 1>(a, x, 0, y, 1, AllTerms{count});
  int32_t* list = a.terms;
  each_nonzeros<Format>(x, count, [&](uint64_t set, int64_t first) CHAINRULE_LAMBDA {
    list += append_bits(set, first, list);
  });
  small_panels<Format, 1>(a, x, 0, y, 1, TermList{a.terms, nonzeros});
}

/// Tiles of rows, the others one by one, and the activation.
template <class Format>
CHAINRULE_INLINE void small_forward(const SmallForwardArgs& a, const typename Format::Input* x,
                                    int64_t x_stride) {
  const int64_t tiled = a.rows / kSmallTileRows * kSmallTileRows;
  if (tiled) {
    small_panels<Format, kSmallTileRows>(a, x, x_stride, a.y, tiled,
                                         AllTerms{Format::terms(a.product.shape.rows)});
  }
  for (int64_t row = tiled; row < a.rows; ++row)
    small_row<Format>(a, x + row * x_stride, a.y + row * a.y_stride);
  const ActivationFunction<float>& activation = a.product.activation;
  if (activation.kind == ActivationKind::linear) return;
  activation_forward<float>({activation, a.rows, a.product.shape.columns, a.y_stride}, a.y, a.y);
}

void bfloat16_forward(const SmallForwardArgs& a) { small_forward<Bfloat16>(a, a.x, a.x_stride); }

/// q = x * scale + zero, limited and rounded, half up. A NaN is 0.
CHAINRULE_INLINE Int to_integers(Float x, const SmallProduct& f) {
  const Float q = fma(x, broadcast(f.input_scale), broadcast(f.zero));
  const Float limited = min<float>(max<float>(q, Float{}), broadcast(float(kLargestInteger)));
  return __builtin_convertvector(limited + broadcast(0.5f), Int);
}

/// The integers of four vectors.
CHAINRULE_INLINE void store_integers(const Int (&q)[4], uint8_t* to) {
#if defined(CHAINRULE_ISA_AVX2)
  const auto pack = [&](int i) CHAINRULE_LAMBDA {
    return _mm256_packs_epi32(reinterpret_cast<__m256i>(q[i]), reinterpret_cast<__m256i>(q[i + 1]));
  };
  const __m256i bytes = _mm256_packus_epi16(pack(0), pack(2));  // in the order of halves
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_permutevar8x32_epi32(bytes, order));
#else
  typedef uint8_t Bytes __attribute__((vector_size(kLanes<float>)));
  for (int i = 0; i < 4; ++i) {
    const Bytes bytes = __builtin_convertvector(q[i], Bytes);
    __builtin_memcpy(to + i * kLanes<float>, &bytes, sizeof(bytes));
  }
#endif
}

// x: inputs, q: integer_stride(inputs) bytes
CHAINRULE_INLINE void quantize_row(const SmallProduct& f, const float* x, uint8_t* q) {
  constexpr int64_t lanes = kLanes<float>;
  const int64_t inputs = f.shape.rows;
  const auto quantize = [&](const float* from, uint8_t* to) CHAINRULE_LAMBDA {
    Int integers[4];
    for (int i = 0; i < 4; ++i) integers[i] = to_integers(load(from + i * lanes), f);
    store_integers(integers, to);
  };
  int64_t k = 0;
  for (; k + 4 * lanes <= inputs; k += 4 * lanes) quantize(x + k, q + k);
  if (k == inputs) return;
  float rest[4 * lanes] = {};
  __builtin_memcpy(rest, x + k, size_t(inputs - k) * sizeof(float));
  quantize(rest, q + k);
}

template <class Dot>
void int8_forward(const SmallForwardArgs& a) {
  const int64_t stride = integer_stride(a.product.shape.rows);
  for (int64_t row = 0; row < a.rows; ++row)
    quantize_row(a.product, a.x + row * a.x_stride, a.scratch + row * stride);
  small_forward<Int8<Dot>>(a, reinterpret_cast<const int32_t*>(a.scratch), stride / kWordTerms);
}

}  // namespace

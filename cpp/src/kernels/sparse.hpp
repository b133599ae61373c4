// SPDX-License-Identifier: Apache-2.0
// Products with a batch of which only the nonzeros are at hand, by row or by
// column. What is left out would change no bit: see "Zeros are left out" in docs/architecture.md.
#pragma once

#include "kernels/multiply.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// Panels that share the reading of an entry, so that there are enough sums to hide the latency of
/// a multiply-add.
#if defined(CHAINRULE_ISA_AVX512) || defined(CHAINRULE_ISA_NEON)
constexpr int kSparsePanels = 2;
#elif defined(CHAINRULE_ISA_AVX2)
constexpr int kSparsePanels = 4;
#else
constexpr int kSparsePanels = 1;
#endif

/// Rows of P panels of the same width, from the first row that is wanted. Each panel has a pointer
/// of its own, so that one product finds a row in all of them.
template <class T, int P>
struct PanelRows {
  const T* first[P];
  int64_t width;

  CHAINRULE_INLINE PanelRows(const T* rows, int64_t panel_stride, int64_t width_) : width(width_) {
    for (int p = 0; p < P; ++p) first[p] = rows + p * panel_stride;
  }
};

/// Sums of P panels of NV vectors each begin with rows at a stride of `row_stride`, or where `rows`
/// is null with zeros.
template <class T, int P, int NV>
CHAINRULE_INLINE void load_sums(Vec<T> (&s)[P][NV], const T* rows, int64_t row_stride) {
  for (int p = 0; p < P; ++p) {
    for (int v = 0; v < NV; ++v)
      s[p][v] = rows ? load(rows + p * row_stride + v * kLanes<T>) : Vec<T>{};
  }
}

template <class T, int P, int NV>
CHAINRULE_INLINE void store_sums(const Vec<T> (&s)[P][NV], T* rows, int64_t row_stride) {
  for (int p = 0; p < P; ++p) {
    for (int v = 0; v < NV; ++v) store(rows + p * row_stride + v * kLanes<T>, s[p][v]);
  }
}

template <class T, int P, int NV>
CHAINRULE_INLINE void add_entry(Vec<T> (&s)[P][NV], T value, int64_t column,
                                const PanelRows<T, P>& weight) {
  const Vec<T> x = broadcast(value);
  const int64_t row = column * weight.width;
  for (int p = 0; p < P; ++p) {
    const T* const w = weight.first[p] + row;
    for (int v = 0; v < NV; ++v) s[p][v] = fma(x, load(w + v * kLanes<T>), s[p][v]);
  }
}

/// The entries of one row from `at` on whose columns come before `end`; returns where they end.
template <class T, bool ExceedsL2, int P, int NV>
CHAINRULE_INLINE int64_t add_entries(Vec<T> (&s)[P][NV], const SparseRows<T>& x, int64_t at,
                                     int64_t end, const PanelRows<T, P>& weight) {
  for (; x.columns[at] < end; ++at) {
    if constexpr (ExceedsL2) {
      // Prefetching out of range is harmless; forming the pointer is undefined behaviour.
      const auto row = uint64_t(uint32_t(x.columns[at + kPrefetchDistance]));
      for (int p = 0; p < P; ++p) {
        const uint64_t place = uint64_t(weight.first[p]) + row * uint64_t(weight.width) * sizeof(T);
        for (uint64_t b = 0; b < NV * kVectorBytes; b += kLineBytes)
          __builtin_prefetch(reinterpret_cast<const char*>(place + b), 0, 2);
      }
    }
    add_entry(s, x.values[at], x.columns[at], weight);
  }
  return at;
}

/// y of P panels for all rows: a block of inputs at a time, so that all rows but the first find the
/// block's weights in L1.
/// x: lists by row, weight: panels of [inputs][panel], y: rows x units.
template <class T, bool ExceedsL2, int P, int NV>
void sparse_forward_panels(const SparseForwardArgs<T>& f, int64_t panel) {
  const int64_t column = panel * f.shape.panel;
  const PanelRows<T, P> weight(f.weight + column * f.shape.rows, f.shape.panel * f.shape.rows,
                               NV * kLanes<T>);
  in_blocks(f.shape.rows, f.block, [&](int64_t begin, int64_t end) {
    for (int64_t i = f.row_begin; i < f.row_end; ++i) {
      T* y = f.y + i * f.y_stride + column;
      const T* start = begin > 0 ? y : f.bias ? f.bias + column : nullptr;
      Vec<T> s[P][NV];
      load_sums(s, start, f.shape.panel);
      const int64_t at = begin > 0 ? f.positions[i] : f.x.row_offsets[i];
      const int64_t next = add_entries<T, ExceedsL2>(s, f.x, at, end, weight);
      if (end < f.shape.rows) f.positions[i] = next;
      store_sums(s, y, f.shape.panel);
    }
  });
}

/// g of P panels for the inputs of `f`.
template <class T, int P, int NV>
void sparse_gradient_panels(const SparseGradientArgs<T>& f, int64_t panel) {
  const int64_t width = NV * kLanes<T>;
  const T* dy = f.dy + panel * f.shape.panel;
  T* g = f.g + (panel - f.panel_begin) * f.g_stride;
  for (int64_t j = f.input_begin; j < f.input_end; ++j) {
    prefetch(f.cursor, f.x.column_offsets[j + 1] - f.x.column_offsets[j]);
    Vec<T> s[P][NV] = {};
    const PanelRows<T, P> rows(dy, kPanelColumns<T>, f.dy_stride);
    for (int32_t at = f.x.column_offsets[j]; at < f.x.column_offsets[j + 1]; ++at)
      add_entry(s, f.x.values[at], f.x.rows[at], rows);
    store_sums(s, g + (j - f.input_begin) * width, f.g_stride);
  }
}

/// Calls run.template operator()<1, vectors>(panel) for a panel that may be narrow.
template <int NV = kPanelVectors, class Run>
CHAINRULE_INLINE void by_width(int64_t vectors, int64_t panel, Run run) {
  if constexpr (NV > 1) {
    if (vectors < NV) {
      by_width<NV - 1>(vectors, panel, run);
      return;
    }
  }
  run.template operator()<1, NV>(panel);
}

/// Calls run.template operator()<P, NV>(panel) for the panels [begin, end), P at a time.
template <class T, class Run>
CHAINRULE_INLINE void by_panels(const PanelShape& shape, int64_t begin, int64_t end, Run run) {
  int64_t panel = begin;
  for (;
       panel + kSparsePanels <= end && panel_width(shape, panel + kSparsePanels - 1) == shape.panel;
       panel += kSparsePanels)
    run.template operator()<kSparsePanels, kPanelVectors>(panel);
  for (; panel < end; ++panel) by_width(panel_width(shape, panel) / kLanes<T>, panel, run);
}

template <class T>
void sparse_forward(const SparseForwardArgs<T>& f) {
  by_panels<T>(f.shape, f.panel_begin, f.panel_end, [&]<int P, int NV>(int64_t panel) {
    // The weights of a narrow panel are few, and rarely far.
    if constexpr (NV == kPanelVectors) {
      if (f.exceeds_l2) return sparse_forward_panels<T, true, P, NV>(f, panel);
    }
    sparse_forward_panels<T, false, P, NV>(f, panel);
  });
}

template <class T>
void sparse_gradient(const SparseGradientArgs<T>& f) {
  by_panels<T>(f.shape, f.panel_begin, f.panel_end,
               [&]<int P, int NV>(int64_t panel) { sparse_gradient_panels<T, P, NV>(f, panel); });
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// Products of recurrent layers' dual numbers with weights, which lie in panels as those of numbers
// do: plain loops, whose sums have the order of the kernels for double, and so the bits of their
// values.
#pragma once

#include "kernels/dual_simd.hpp"
#include "kernels/product_args.hpp"

namespace {

/// Numbers at a stride.
struct Strided {
  const Dual* data;
  int64_t stride;
};

/// y = start + sum over k of a(k) b(k, :), of whole vectors. start: null for zero
void add_terms(Strided a, Strided b, int64_t terms, const Dual* start, Dual* y, int64_t columns) {
  for (int64_t j = 0; j < columns; j += kLanes<Dual>) {
    DualVector sum = start ? load(start + j) : DualVector{};
    for (int64_t k = 0; k < terms; ++k)
      sum = fma(DualVector(a.data[k * a.stride]), load(b.data + k * b.stride + j), sum);
    store(y + j, sum);
  }
}

// x: rows x inputs, y: rows x outputs
void dual_forward(const chainrule::kernels::ForwardArgs<Dual>& f) {
  for (int64_t row = f.row_begin; row < f.row_end; ++row) {
    for (int64_t panel = f.panel_begin; panel < f.panel_end; ++panel) {
      const int64_t first = panel * f.shape.panel;
      Dual* y = f.y + row * f.y_stride + first;
      const Dual* start = f.adds ? y : f.bias ? f.bias + first : nullptr;
      add_terms({f.x + row * f.x_stride, 1},
                {f.weight + f.shape.offset(panel), f.shape.width(panel)}, f.shape.rows, start, y,
                f.shape.width(panel));
    }
  }
}

void dual_forward_row(const chainrule::kernels::RowArgs<Dual>& f, const Dual* x, Dual* y,
                      int32_t*) {
  dual_forward({f.shape, f.weight, f.bias, x, 0, y, 0, 0, 1, 0, f.shape.panels(), 0});
}

// x: batch x inputs, dy: batch x outputs, g: (some inputs) x panel
void dual_weight_gradient(const chainrule::kernels::WeightGradientArgs<Dual>& f) {
  const int64_t width = f.shape.width(f.panel);
  for (int64_t input = f.input_begin; input < f.input_end; ++input) {
    Dual* g = f.g + (input - f.input_begin) * width;
    add_terms({f.x + input, f.x_stride}, {f.dy + f.panel * f.shape.panel, f.dy_stride}, f.batch,
              f.adds ? g : nullptr, g, width);
  }
}

constexpr int64_t whole_vectors(int64_t rows) {
  return (rows + kLanes<Dual> - 1) / kLanes<Dual> * kLanes<Dual>;
}

// x: rows x columns, panels: columns x (rows, in whole vectors)
void dual_pack_transposed(const Dual* x, int64_t stride, int64_t rows, int64_t columns,
                          Dual* panels) {
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t i = 0; i < whole_vectors(rows); ++i)
      *panels++ = i < rows ? x[i * stride + j] : Dual{};
  }
}

// dy_panels: as above, dx and more: rows x inputs
void dual_input_gradient(const chainrule::kernels::InputGradientArgs<Dual>& f) {
  for (int64_t input = 0; input < f.shape.rows; ++input) {
    for (int64_t row = 0; row < f.rows; row += kLanes<Dual>) {
      DualVector sum{};
      for (int64_t j = 0; j < f.shape.columns; ++j)
        sum = fma(DualVector(f.weight[f.shape.index(input, j)]),
                  load(f.dy_panels + j * whole_vectors(f.rows) + row), sum);
      for (int64_t i = row; i < f.rows && i < row + kLanes<Dual>; ++i) {
        const int64_t at = i * f.dx_stride + input;
        const Dual product = sum[int(i - row)];
        f.dx[at] = f.more ? product + f.more[at] : product;
      }
    }
  }
}

void dual_multiply(const Dual* a, const Dual* b, Dual* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = a[i] * b[i];
}

}  // namespace

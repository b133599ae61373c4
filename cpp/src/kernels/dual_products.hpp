// SPDX-License-Identifier: Apache-2.0
// Products of recurrent layers' dual numbers, (v + t e) (w + u e) = v w + (v u + t w) e, block by
// block by the active instruction set's product of doubles. Sums have the order of those of
// numbers, and so the bits of their values.
#pragma once

#include "kernels/dispatch.hpp"
#include "kernels/dual.hpp"
#include "kernels/product_args.hpp"

namespace {

using chainrule::kernels::Dual;

/// Entry (i, j) lies at i row + j column, or is that of row j and column i of panels.
struct DualMatrix {
  const Dual* data;
  int64_t row, column;
  const chainrule::kernels::PanelShape* panels = nullptr;

  const Dual& at(int64_t i, int64_t j) const {
    return data[panels ? panels->index(j, i) : i * row + j * column];
  }
};

constexpr int64_t kDualBlock = 32;

/// The values and tangents of a square part of a matrix.
struct DualBlock {
  alignas(64) double values[kDualBlock * kDualBlock];
  alignas(64) double tangents[kDualBlock * kDualBlock];

  void set(int64_t at, Dual x) {
    values[at] = x.value;
    tangents[at] = x.tangent;
  }
};

/// y += a b of some columns and terms, at most a block's. a: rows x terms, b: terms x columns, y:
/// rows x columns
void add_block_products(const DualMatrix& a, const DualMatrix& b, Dual* y, int64_t y_stride,
                        int64_t rows, int64_t first_term, int64_t terms, int64_t first_column,
                        int64_t columns) {
  const chainrule::kernels::KernelTable<double>& real = chainrule::kernels::active<double>();
  constexpr int64_t aligned = chainrule::kernels::kRowAlignment<double>;
  const int64_t padded = (columns + aligned - 1) / aligned * aligned;
  const chainrule::kernels::PanelShape shape{terms, padded, real.panel, aligned};
  DualBlock x;
  DualBlock w;
  DualBlock sums;
  for (int64_t k = 0; k < terms; ++k) {
    for (int64_t j = 0; j < padded; ++j)
      w.set(shape.index(k, j), j < columns ? b.at(first_term + k, first_column + j) : Dual{});
  }
  for (int64_t first = 0; first < rows; first += kDualBlock) {
    const int64_t count = rows - first < kDualBlock ? rows - first : kDualBlock;
    Dual* to = y + first * y_stride + first_column;
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t k = 0; k < terms; ++k)
        x.set(i * kDualBlock + k, a.at(first + i, first_term + k));
      for (int64_t j = 0; j < padded; ++j)
        sums.set(i * kDualBlock + j, j < columns ? to[i * y_stride + j] : Dual{});
    }
    const auto add = [&](const double* weight, const double* from, double* sum) {
      real.forward({shape, weight, nullptr, from, kDualBlock, sum, kDualBlock, 0, count, 0,
                    shape.panels(), terms, true});
    };
    add(w.values, x.values, sums.values);
    add(w.tangents, x.values, sums.tangents);
    add(w.values, x.tangents, sums.tangents);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        const int64_t at = i * kDualBlock + j;
        to[i * y_stride + j] = {sums.values[at], sums.tangents[at]};
      }
    }
  }
}

/// y += a b. a: rows x terms, b: terms x columns, y: rows x columns. Blocks of terms, on which the
/// order of the tangents' sums depends, begin at the same terms whatever a panel is.
void add_products(const DualMatrix& a, const DualMatrix& b, Dual* y, int64_t y_stride, int64_t rows,
                  int64_t terms, int64_t columns) {
  const auto part = [](int64_t size, int64_t first) {
    return size - first < kDualBlock ? size - first : kDualBlock;
  };
  for (int64_t j = 0; j < columns; j += kDualBlock) {
    for (int64_t k = 0; k < terms; k += kDualBlock)
      add_block_products(a, b, y, y_stride, rows, k, part(terms, k), j, part(columns, j));
  }
}

// x: rows x inputs, y: rows x outputs
void dual_forward(const chainrule::kernels::ForwardArgs<Dual>& f) {
  const int64_t rows = f.row_end - f.row_begin;
  for (int64_t panel = f.panel_begin; panel < f.panel_end; ++panel) {
    const int64_t first = panel * f.shape.panel;
    const int64_t width = f.shape.width(panel);
    Dual* y = f.y + f.row_begin * f.y_stride + first;
    for (int64_t i = 0; i < rows && !f.adds; ++i) {
      for (int64_t j = 0; j < width; ++j) y[i * f.y_stride + j] = f.bias ? f.bias[first + j] : 0.0;
    }
    add_products({f.x + f.row_begin * f.x_stride, f.x_stride, 1},
                 {f.weight + f.shape.offset(panel), width, 1}, y, f.y_stride, rows, f.shape.rows,
                 width);
  }
}

// x: the terms, y: outputs
void dual_forward_row_terms(const chainrule::kernels::RowArgs<Dual>& f,
                            const chainrule::kernels::RowTerms& terms, const Dual* x, Dual* y) {
  for (int64_t panel = 0; panel < f.shape.panels(); ++panel) {
    const int64_t width = f.shape.width(panel);
    const Dual* weight = f.weight + f.shape.offset(panel) + terms.first * width;
    Dual* to = y + panel * f.shape.panel;
    for (int64_t j = 0; j < width; ++j) to[j] = f.bias ? f.bias[panel * f.shape.panel + j] : 0.0;
    add_products({x, 0, 1}, {weight, width, 1}, to, 0, 1, terms.count, width);
  }
}

// x: batch x inputs, dy: batch x outputs, g: (some inputs) x panel
void dual_weight_gradient(const chainrule::kernels::WeightGradientArgs<Dual>& f) {
  const int64_t width = f.shape.width(f.panel);
  const int64_t inputs = f.input_end - f.input_begin;
  for (int64_t i = 0; i < inputs * width && !f.adds; ++i) f.g[i] = 0.0;
  add_products({f.x + f.input_begin, 1, f.x_stride},
               {f.dy + f.panel * f.shape.panel, f.dy_stride, 1}, f.g, width, inputs, f.batch,
               width);
}

// x and panels: rows x columns. Products with dual numbers need no other order.
void dual_pack_transposed(const Dual* x, int64_t stride, int64_t rows, int64_t columns,
                          Dual* panels) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) *panels++ = x[i * stride + j];
  }
}

// dy_panels: as above, dx and more: rows x inputs
void dual_input_gradient(const chainrule::kernels::InputGradientArgs<Dual>& f) {
  const auto each = [&](auto change) {
    for (int64_t i = 0; i < f.rows; ++i) {
      for (int64_t j = 0; j < f.shape.rows; ++j) change(i * f.dx_stride + j);
    }
  };
  each([&](int64_t at) { f.dx[at] = 0.0; });
  add_products({f.dy_panels, f.shape.columns, 1}, {f.weight, 0, 0, &f.shape}, f.dx, f.dx_stride,
               f.rows, f.shape.columns, f.shape.rows);
  if (f.more) each([&](int64_t at) { f.dx[at] += f.more[at]; });
}

void dual_multiply(const Dual* a, const Dual* b, Dual* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = a[i] * b[i];
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// Rows of a table that stand for categories, to and from parts of a batch's rows.
#pragma once

#include "kernels/multiply.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

template <class T>
void embedding_forward(const EmbeddingForwardArgs<T>& f) {
  const int64_t panels = f.shape.panels();
  for (int64_t i = 0; i < f.rows; ++i) {
    for (int64_t c = 0; c < f.count; ++c) {
      const int32_t category = f.categories[i * f.count + c];
      T* y = f.y + i * f.y_stride + c * f.shape.columns;
      if (category == kNoColumn) {
        for (int64_t j = 0; j < f.shape.columns; ++j) y[j] = T(0);
        continue;
      }
      for (int64_t panel = 0; panel < panels; ++panel, y += f.shape.panel) {
        const T* row = f.weight + f.shape.offset(panel) + category * f.shape.width(panel);
        const int64_t own = f.shape.own_columns(panel);
        for (int64_t j = 0; j < own; ++j) y[j] = row[j];
      }
    }
  }
}

template <class T>
void embedding_gradient(const EmbeddingGradientArgs<T>& f) {
  const int64_t width = f.shape.width(f.panel);
  const int64_t own = f.shape.own_columns(f.panel);
  const T* dy = f.dy + f.panel * f.shape.panel;
  for (int64_t category = f.category_begin; category < f.category_end; ++category) {
    T* g = f.g + (category - f.category_begin) * width;
    for (int64_t j = 0; j < width; ++j) g[j] = T(0);
    for (int32_t at = f.x.column_offsets[category]; at < f.x.column_offsets[category + 1]; ++at) {
      const T* part = dy + f.x.rows[at] * f.dy_stride + int64_t(f.x.values[at]) * f.shape.columns;
      for (int64_t j = 0; j < own; ++j) g[j] += part[j];
    }
  }
}

}  // namespace

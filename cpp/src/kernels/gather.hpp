// SPDX-License-Identifier: Apache-2.0
// The input stage: rows of the user's array, of any type and any strides, into a padded
// buffer.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// x * scale + offset as one fused multiply-add, here and in the affine stage, so that fusing
/// changes no bit.
template <class T>
CHAINRULE_INLINE void scale_row(T* y, int64_t columns, const T* scale, const T* offset) {
  for (int64_t j = 0; j < columns; j += kLanes<T>) {
    store(y + j, fma(load(y + j), load(scale + j), load(offset + j)));
  }
}

/// Whether S holds numbers that float rounds.
template <class S>
constexpr bool kHasMoreDigits = true;
template <>
inline constexpr bool kHasMoreDigits<uint8_t> = false;
template <>
inline constexpr bool kHasMoreDigits<float> = false;

template <class T, class S>
void gather_rows(const GatherArgs<T>& f) {
  const char* base = static_cast<const char*>(f.source);
  for (int64_t i = 0; i < f.rows; ++i) {
    const int64_t row = f.order ? f.order[f.first + i] : f.first + i;
    const char* source = base + row * f.row_stride;
    T* y = f.y + i * f.y_stride;
    if (f.column_stride == int64_t(sizeof(S))) {
      for (int64_t j = 0; j < f.columns; ++j) {
        S value;
        __builtin_memcpy(&value, source + j * int64_t(sizeof(S)), sizeof(S));
        y[j] = T(value);
      }
    } else {
      for (int64_t j = 0; j < f.columns; ++j) {
        S value;
        __builtin_memcpy(&value, source + j * f.column_stride, sizeof(S));
        y[j] = T(value);
      }
    }
    if (f.scale) scale_row(y, f.columns, f.scale, f.offset);
    if constexpr (sizeof(T) == 4 && kHasMoreDigits<S>) {
      for (int64_t k = 0; k < f.wide_count; ++k) {
        const WideColumn& wide = f.wide[k];
        S value;
        __builtin_memcpy(&value, source + wide.column * f.column_stride, sizeof(S));
        y[wide.column] = T((double(value) - wide.centre) * wide.factor);
      }
    }
  }
}

template <class T>
void gather(const GatherArgs<T>& f) {
  switch (f.type) {
    case DataType::uint8:
      return gather_rows<T, uint8_t>(f);
    case DataType::float32:
      return gather_rows<T, float>(f);
    case DataType::float64:
      return gather_rows<T, double>(f);
    case DataType::int32:
      return gather_rows<T, int32_t>(f);
    case DataType::int64:
      return gather_rows<T, int64_t>(f);
  }
}

template <class T>
void affine(const T* x, const T* scale, const T* offset, T* y, int64_t rows, int64_t columns,
            int64_t stride) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; j += kLanes<T>) {
      const int64_t at = i * stride + j;
      const Vec<T> shift = offset ? load(offset + j) : Vec<T>{};
      store(y + at, fma(load(x + at), load(scale + j), shift));
    }
  }
}

}  // namespace

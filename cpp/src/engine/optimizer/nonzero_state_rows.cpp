// SPDX-License-Identifier: Apache-2.0
#include "engine/optimizer/nonzero_state_rows.hpp"

#include <algorithm>
#include <bit>
#include <type_traits>

namespace chainrule::engine {
namespace {

/// Negative zeros do not count: a step may make positive ones of them.
template <class T>
bool all_zero(const T* values, std::int64_t count) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  Bits set = 0;
  for (std::int64_t i = 0; i < count; ++i) set |= std::bit_cast<Bits>(values[i]);
  return set == 0;
}

}  // namespace

// rows_(row) = whether any slot has a bit set in that row of p, over all panels: (slots x panels x
// rows x width) numbers are read, once, when lists of nonzeros begin.
template <class T>
void NonzeroStateRows::find(const Parameter& p, const std::vector<Buffer<T>>& slots) {
  if (offset_ == p.offset) return;
  const kernels::PanelShape& s = p.shape;
  if (rows_.size() != s.rows) rows_ = Buffer<std::uint8_t>(s.rows);
  rows_.clear();
  for (const Buffer<T>& slot : slots) {
    for (std::int64_t i = 0; i < s.panels(); ++i) {
      const std::int64_t width = s.width(i);
      const T* panel = slot.data() + p.offset + s.offset(i);
      for (std::int64_t row = 0; row < s.rows; ++row) {
        if (rows_.data()[row] == 0) rows_.data()[row] = !all_zero(panel + row * width, width);
      }
    }
  }
  offset_ = p.offset;
}

// It allocates nothing where the sizes agree, as when an epoch is kept again.
void NonzeroStateRows::copy_from(const NonzeroStateRows& other) {
  offset_ = other.offset_;
  if (rows_.size() != other.rows_.size()) {
    rows_ = other.rows_;
  } else if (!rows_.empty()) {
    rows_.copy_from(other.rows_);
  }
}

template void NonzeroStateRows::find(const Parameter&, const std::vector<Buffer<float>>&);
template void NonzeroStateRows::find(const Parameter&, const std::vector<Buffer<double>>&);

}  // namespace chainrule::engine

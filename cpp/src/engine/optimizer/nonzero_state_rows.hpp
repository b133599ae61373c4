// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/buffer.hpp"
#include "engine/parameters.hpp"

namespace chainrule::engine {

/// The rows of one matrix that an optimizer may remember something of: the state of all others is
/// zero, to the bit.
class NonzeroStateRows {
 public:
  /// Reads them from the state, unless they are known already.
  template <class T>
  void find(const Parameter& p, const std::vector<Buffer<T>>& slots);
  /// To be called when the state may have changed in any row.
  void forget() { offset_ = kNone; }

  /// One byte a row, 0 where the state is zero; null when that is not known of p.
  std::uint8_t* of(const Parameter& p) { return p.offset == offset_ ? rows_.data() : nullptr; }

  /// Whether copy_from needs no memory.
  bool has_room(const NonzeroStateRows& other) const { return rows_.size() == other.rows_.size(); }
  /// Like assignment, but into the memory that is there already where it fits.
  void copy_from(const NonzeroStateRows& other);

 private:
  static constexpr std::int64_t kNone = -1;

  std::int64_t offset_ = kNone;  // of the matrix, which tells it from others
  Buffer<std::uint8_t> rows_;
};

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"

namespace chainrule {

/// The extents of an array, channels last: (features), (time, features), (height, width,
/// channels). Of what flows through a network it is the shape of one row of a batch. A layer sees
/// it as `positions()` rows of `columns()` columns; a parameter of this shape is such a matrix.
class CHAINRULE_API Shape {
 public:
  /// (columns)
  Shape(std::int64_t columns) : extents_{columns} {}
  Shape(std::initializer_list<std::int64_t> extents) : extents_(extents) {}
  explicit Shape(std::vector<std::int64_t> extents) : extents_(std::move(extents)) {}

  const std::vector<std::int64_t>& extents() const { return extents_; }
  std::int64_t rank() const { return static_cast<std::int64_t>(extents_.size()); }
  /// The last extent.
  std::int64_t columns() const { return extents_.empty() ? 1 : extents_.back(); }
  /// The product of all extents but the last; throws Error beyond 2^63.
  std::int64_t positions() const;
  /// The product of all extents; throws Error beyond 2^63.
  std::int64_t size() const;
  /// The same positions with other columns.
  Shape with_columns(std::int64_t columns) const;
  /// The extents as Python writes a tuple: "(28, 28, 1)", and "(10,)" for one extent.
  std::string text() const;

  friend bool operator==(const Shape& a, const Shape& b) { return a.extents_ == b.extents_; }

 private:
  std::vector<std::int64_t> extents_;
};

}  // namespace chainrule

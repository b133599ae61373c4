// SPDX-License-Identifier: Apache-2.0
#include "chainrule/shape.hpp"

#include <cstddef>

#include "chainrule/error.hpp"

namespace chainrule {
namespace {

std::int64_t product(const std::vector<std::int64_t>& extents, std::size_t count,
                     const Shape& shape) {
  std::int64_t result = 1;
  for (std::size_t i = 0; i < count; ++i) {
    if (__builtin_mul_overflow(result, extents[i], &result))
      throw Error("an array of shape " + shape.text() + " is too large");
  }
  return result;
}

}  // namespace

std::int64_t Shape::positions() const {
  return product(extents_, extents_.empty() ? 0 : extents_.size() - 1, *this);
}

std::int64_t Shape::size() const { return product(extents_, extents_.size(), *this); }

Shape Shape::with_columns(std::int64_t columns) const {
  Shape shape = *this;
  shape.extents_.back() = columns;
  return shape;
}

std::string Shape::text() const {
  std::string text = "(";
  for (std::size_t i = 0; i < extents_.size(); ++i)
    text += (i > 0 ? ", " : "") + std::to_string(extents_[i]);
  return text + (extents_.size() == 1 ? ",)" : ")");
}

}  // namespace chainrule

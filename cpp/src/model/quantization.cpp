// SPDX-License-Identifier: Apache-2.0
#include "chainrule/quantization.hpp"

#include <bit>
#include <cmath>

namespace chainrule {

std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float int8_scale(float largest) {
  constexpr float largest_integer = 127.0f;
  constexpr std::uint32_t dropped = 7;  // of 24 digits, as many as an integer of a column has
  const auto bits = std::bit_cast<std::uint32_t>(largest / largest_integer);
  const auto scale = std::bit_cast<float>((bits + (1U << (dropped - 1))) >> dropped << dropped);
  return std::fpclassify(scale) == FP_NORMAL ? scale : 1.0f;  // of a column that is zero, any
}

}  // namespace chainrule

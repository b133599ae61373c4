// SPDX-License-Identifier: Apache-2.0
#include "model/number_text.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "model/fields.hpp"

namespace chainrule::model {
namespace {

template <class T>
std::string shortest(T value) {
#ifdef __cpp_lib_to_chars
  const T size = std::abs(value);
  const bool fixed = size == T(0) || (size >= T(1e-4) && size < T(1e16));
  std::array<char, 32> digits{};
  const auto written =
      std::to_chars(digits.data(), digits.data() + digits.size(), value,
                    fixed ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(digits.data(), written.ptr);
#else
  std::string text = to_text(static_cast<double>(value));
#endif
  // NaN and infinity have letters.
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

std::string number_text(double value) { return shortest(value); }
std::string number_text(float value) { return shortest(value); }

}  // namespace chainrule::model

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace chainrule::model {

/// The shortest text that reads back as the same number, as Python writes it: always
/// distinguishable from an integer's.
std::string number_text(double value);
std::string number_text(float value);

}  // namespace chainrule::model

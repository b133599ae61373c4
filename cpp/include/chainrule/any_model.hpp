// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/model_file.hpp"

namespace chainrule {

/// A model of whichever precision its file has.
using AnyModel = std::variant<Model<float>, Model<double>>;

/// load_model and read_model for a file of either data type.
CHAINRULE_API AnyModel load_any_model(const std::string& path);
CHAINRULE_API AnyModel read_any_model(std::string_view content);

}  // namespace chainrule

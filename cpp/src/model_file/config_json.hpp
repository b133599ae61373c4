// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "chainrule/config.hpp"
#include "model_file/json.hpp"
#include "model_file/json_writer.hpp"

namespace chainrule::model_file {

/// {"kind": "adam", "learning_rate": 0.001} or just "adam"; options that are null are left out.
/// `what` is for the text of an Error: "a layer".
Config read_config(const Json& json, std::string_view what);

void write_config(JsonWriter& json, const Config& config);

}  // namespace chainrule::model_file

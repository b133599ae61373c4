// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "chainrule/model_file.hpp"
#include "model_file/json.hpp"
#include "model_file/json_writer.hpp"

namespace chainrule::model_file {

/// Steps and epochs up to here are exact in double, and can be counted on from.
inline constexpr std::int64_t most_counted = std::int64_t{1} << 53;

/// What the training record says about the network's own state.
struct Counters {
  bool optimizer_state = false;  // the file holds the optimizer's memory
  std::int64_t steps = 0;
  std::int64_t total_steps = 0;
  std::int64_t epochs = 0;
  bool adapted = false;  // its Normalization layers have been
};

Counters read_counters(const Json& json);
/// Throws Error for numbers that no training leaves behind, and that none could go on from.
void check_training(const TrainingState& training, const Counters& counters);
/// All but `rest`; throws Error for what does not fit.
TrainingState read_training(const Json& json);
/// The members of the record that are not read by the other two, as a JSON object.
std::string read_rest(const Json& json);

/// Throws Error for what could not be read back.
void write_training(JsonWriter& json, const TrainingState& training, const Counters& counters);

}  // namespace chainrule::model_file

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model_file/json.hpp"

namespace chainrule::model_file {

/// Throws Error unless what Python keeps in the training record, and the library only hands on, is
/// what docs/model-format.md says: metrics, callbacks, history, target_name.
void check_run_record(const Json& training);

}  // namespace chainrule::model_file

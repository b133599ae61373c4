// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "chainrule/schedule.hpp"
#include "model/fields.hpp"

namespace chainrule::model {

/// Throws Error unless the schedule's values are those of a step, whatever the losses were.
inline void check_step_schedule(std::string_view kind, const char* option,
                                const Schedule& schedule) {
  if (schedule.kind == Schedule::Kind::reduce_on_plateau)
    refuse(kind,
           std::string(option) + " must be a schedule of the step alone, got reduce_on_plateau");
}

}  // namespace chainrule::model

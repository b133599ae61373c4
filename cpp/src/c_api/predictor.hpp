// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chainrule/chainrule.h"
#include "chainrule/loss.hpp"
#include "chainrule/quantization.hpp"

namespace chainrule::c_api {

/// What the options of a predictor stand for; both throw Error for numbers that they cannot be.
Loss::Link link_of(chainrule_link given);
Quantization quantization_of(const chainrule_predictor_options& options);

}  // namespace chainrule::c_api

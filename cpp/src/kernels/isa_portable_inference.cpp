// SPDX-License-Identifier: Apache-2.0
#define CHAINRULE_ISA_PORTABLE
#include "kernels/inference_set.hpp"

namespace chainrule::kernels {
extern const InferenceSet inference_portable;
constexpr InferenceSet inference_portable = inference_set("portable");
}  // namespace chainrule::kernels

// SPDX-License-Identifier: Apache-2.0
#define CHAINRULE_ISA_NEON
#include "kernels/inference_set.hpp"

namespace chainrule::kernels {
extern const InferenceSet inference_neon;
constexpr InferenceSet inference_neon = inference_set("neon");
}  // namespace chainrule::kernels

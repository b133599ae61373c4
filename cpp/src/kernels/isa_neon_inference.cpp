// SPDX-License-Identifier: Apache-2.0
// The kernels of predictions for NEON: the loops of all headers here, compiled once more, with
// simd.hpp's vectors of 16 bytes. The compiler flags of this file are in isa.cmake.
#define CHAINRULE_ISA_NEON
#include "kernels/inference_set.hpp"

namespace chainrule::kernels {
extern const InferenceSet inference_neon;
constexpr InferenceSet inference_neon = inference_set("neon");
}  // namespace chainrule::kernels

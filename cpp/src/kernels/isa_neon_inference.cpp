// SPDX-License-Identifier: Apache-2.0
// The kernels of predictions for NEON: the loops of all headers here, compiled once more, with
// simd.hpp's vectors of 16 bytes. The compiler flags of this file are in isa.cmake.
#define CHAINRULE_ISA_NEON
#include "kernels/inference_set.hpp"

namespace chainrule::kernels {
extern const InferenceKernels<float> inference_neon_f32;
extern const InferenceKernels<double> inference_neon_f64;
constexpr InferenceKernels<float> inference_neon_f32 = inference_kernels<float>("neon");
constexpr InferenceKernels<double> inference_neon_f64 = inference_kernels<double>("neon");
}  // namespace chainrule::kernels

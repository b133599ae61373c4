// SPDX-License-Identifier: Apache-2.0
// The kernels of predictions for any processor: the loops of all headers here, compiled once more,
// with simd.hpp's vectors of 16 bytes and an exact multiply-add made of other instructions. The
// compiler flags of this file are in isa.cmake.
#define CHAINRULE_ISA_PORTABLE
#include "kernels/inference_set.hpp"

namespace chainrule::kernels {
extern const InferenceKernels<float> inference_portable_f32;
extern const InferenceKernels<double> inference_portable_f64;
constexpr InferenceKernels<float> inference_portable_f32 = inference_kernels<float>("portable");
constexpr InferenceKernels<double> inference_portable_f64 = inference_kernels<double>("portable");
}  // namespace chainrule::kernels

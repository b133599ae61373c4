// SPDX-License-Identifier: Apache-2.0
// The kernels of predictions for AVX2: the loops of all headers here, compiled once more, with
// simd.hpp's vectors of 32 bytes. The compiler flags of this file are in isa.cmake.
#define CHAINRULE_ISA_AVX2
#include "kernels/inference_set.hpp"

namespace chainrule::kernels {
extern const InferenceKernels<float> inference_avx2_f32;
extern const InferenceKernels<double> inference_avx2_f64;
constexpr InferenceKernels<float> inference_avx2_f32 = inference_kernels<float>("avx2");
constexpr InferenceKernels<double> inference_avx2_f64 = inference_kernels<double>("avx2");
}  // namespace chainrule::kernels

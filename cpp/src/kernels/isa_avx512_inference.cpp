// SPDX-License-Identifier: Apache-2.0
// The kernels of predictions for AVX-512: the loops of all headers here, compiled once more, with
// simd.hpp's vectors of 64 bytes. The compiler flags of this file are in isa.cmake.
#define CHAINRULE_ISA_AVX512
#include "kernels/inference_set.hpp"

namespace chainrule::kernels {
extern const InferenceKernels<float> inference_avx512_f32;
extern const InferenceKernels<double> inference_avx512_f64;
constexpr InferenceKernels<float> inference_avx512_f32 = inference_kernels<float>("avx512");
constexpr InferenceKernels<double> inference_avx512_f64 = inference_kernels<double>("avx512");
}  // namespace chainrule::kernels

// SPDX-License-Identifier: Apache-2.0
// The kernels of training for AVX-512: the loops of all headers here, compiled once more, with
// simd.hpp's vectors of 64 bytes. The compiler flags of this file are in isa.cmake.
#define CHAINRULE_ISA_AVX512
#include "kernels/training_set.hpp"

namespace chainrule::kernels {
extern const TrainingKernels<float> training_avx512_f32;
extern const TrainingKernels<double> training_avx512_f64;
constexpr TrainingKernels<float> training_avx512_f32 = training_kernels<float>();
constexpr TrainingKernels<double> training_avx512_f64 = training_kernels<double>();
}  // namespace chainrule::kernels

// SPDX-License-Identifier: Apache-2.0
// The kernels of training for AVX2: the loops of all headers here, compiled once more, with
// simd.hpp's vectors of 32 bytes. The compiler flags of this file are in isa.cmake.
#define CHAINRULE_ISA_AVX2
#include "kernels/training_set.hpp"

namespace chainrule::kernels {
extern const TrainingKernels<float> training_avx2_f32;
extern const TrainingKernels<double> training_avx2_f64;
constexpr TrainingKernels<float> training_avx2_f32 = training_kernels<float>();
constexpr TrainingKernels<double> training_avx2_f64 = training_kernels<double>();
}  // namespace chainrule::kernels

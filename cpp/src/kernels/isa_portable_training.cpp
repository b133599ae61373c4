// SPDX-License-Identifier: Apache-2.0
// The kernels of training for any processor: the loops of all headers here, compiled once more,
// with simd.hpp's vectors of 16 bytes and an exact multiply-add made of other instructions. The
// compiler flags of this file are in isa.cmake.
#define CHAINRULE_ISA_PORTABLE
#include "kernels/training_set.hpp"

namespace chainrule::kernels {
extern const TrainingKernels<float> training_portable_f32;
extern const TrainingKernels<double> training_portable_f64;
constexpr TrainingKernels<float> training_portable_f32 = training_kernels<float>();
constexpr TrainingKernels<double> training_portable_f64 = training_kernels<double>();
}  // namespace chainrule::kernels

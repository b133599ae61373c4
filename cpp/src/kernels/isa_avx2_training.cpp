// SPDX-License-Identifier: Apache-2.0
// The kernels of training for AVX2: the loops of all headers here, compiled once more, with
// simd.hpp's vectors of 32 bytes. The compiler flags of this file are in isa.cmake.
#define CHAINRULE_ISA_AVX2
#include "kernels/training_set.hpp"

namespace chainrule::kernels {
extern const TrainingSet training_avx2;
constexpr TrainingSet training_avx2 = training_set();
}  // namespace chainrule::kernels

// SPDX-License-Identifier: Apache-2.0
// The kernels of training for NEON: the loops of all headers here, compiled once more, with
// simd.hpp's vectors of 16 bytes. The compiler flags of this file are in isa.cmake.
#define CHAINRULE_ISA_NEON
#include "kernels/training_set.hpp"

namespace chainrule::kernels {
extern const TrainingSet training_neon;
constexpr TrainingSet training_neon = training_set();
}  // namespace chainrule::kernels

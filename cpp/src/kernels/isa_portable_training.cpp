// SPDX-License-Identifier: Apache-2.0
// The kernels of training for any processor: the loops of all headers here, compiled once more,
// with simd.hpp's vectors of 16 bytes and an exact multiply-add made of other instructions. The
// compiler flags of this file are in isa.cmake.
#define CHAINRULE_ISA_PORTABLE
#include "kernels/training_set.hpp"

namespace chainrule::kernels {
extern const TrainingSet training_portable;
constexpr TrainingSet training_portable = training_set();
}  // namespace chainrule::kernels

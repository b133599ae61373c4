// SPDX-License-Identifier: Apache-2.0
#define CHAINRULE_ISA_AVX2
#include "kernels/training_set.hpp"

namespace chainrule::kernels {
extern const TrainingSet training_avx2;
constexpr TrainingSet training_avx2 = training_set();
}  // namespace chainrule::kernels

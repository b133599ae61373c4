// SPDX-License-Identifier: Apache-2.0
#define CHAINRULE_ISA_AVX512
#include "kernels/training_set.hpp"

namespace chainrule::kernels {
extern const TrainingSet training_avx512;
constexpr TrainingSet training_avx512 = training_set();
}  // namespace chainrule::kernels

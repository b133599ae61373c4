// SPDX-License-Identifier: Apache-2.0
#define CHAINRULE_ISA_NEON
#include "kernels/training_set.hpp"

namespace chainrule::kernels {
extern const TrainingSet training_neon;
constexpr TrainingSet training_neon = training_set();
}  // namespace chainrule::kernels

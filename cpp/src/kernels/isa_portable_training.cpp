// SPDX-License-Identifier: Apache-2.0
#define CHAINRULE_ISA_PORTABLE
#include "kernels/training_set.hpp"

namespace chainrule::kernels {
extern const TrainingSet training_portable;
constexpr TrainingSet training_portable = training_set();
}  // namespace chainrule::kernels

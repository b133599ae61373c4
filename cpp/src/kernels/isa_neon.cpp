// SPDX-License-Identifier: Apache-2.0
#define CHAINRULE_ISA_NEON
#include "kernels/set.hpp"

namespace chainrule::kernels {
extern const KernelSet kernels_neon;
constexpr KernelSet kernels_neon{make_table<float>("neon"), make_table<double>("neon")};
}  // namespace chainrule::kernels

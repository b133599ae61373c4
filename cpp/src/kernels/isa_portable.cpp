// SPDX-License-Identifier: Apache-2.0
#define CHAINRULE_ISA_PORTABLE
#include "kernels/set.hpp"

namespace chainrule::kernels {
extern const KernelSet kernels_portable;
constexpr KernelSet kernels_portable{make_table<float>("portable"), make_table<double>("portable")};
}  // namespace chainrule::kernels

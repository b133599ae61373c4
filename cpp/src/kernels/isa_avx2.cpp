// SPDX-License-Identifier: Apache-2.0
#define CHAINRULE_ISA_AVX2
#include "kernels/set.hpp"

namespace chainrule::kernels {
extern const KernelSet kernels_avx2;
constexpr KernelSet kernels_avx2{make_table<float>("avx2"), make_table<double>("avx2")};
}  // namespace chainrule::kernels

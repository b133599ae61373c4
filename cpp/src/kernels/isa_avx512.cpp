// SPDX-License-Identifier: Apache-2.0
#define CHAINRULE_ISA_AVX512
#include "kernels/set.hpp"

namespace chainrule::kernels {
extern const KernelSet kernels_avx512;
constexpr KernelSet kernels_avx512{make_table<float>("avx512"), make_table<double>("avx512")};
}  // namespace chainrule::kernels

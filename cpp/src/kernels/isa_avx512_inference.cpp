// SPDX-License-Identifier: Apache-2.0
#define CHAINRULE_ISA_AVX512
#include "kernels/inference_set.hpp"

namespace chainrule::kernels {
extern const InferenceSet inference_avx512;
constexpr InferenceSet inference_avx512 = inference_set("avx512");
}  // namespace chainrule::kernels

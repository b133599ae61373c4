// SPDX-License-Identifier: Apache-2.0
#define CHAINRULE_ISA_AVX2
#include "kernels/inference_set.hpp"

namespace chainrule::kernels {
extern const InferenceSet inference_avx2;
constexpr InferenceSet inference_avx2 = inference_set("avx2");
}  // namespace chainrule::kernels

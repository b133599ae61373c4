// SPDX-License-Identifier: Apache-2.0
// The kernels of predictions for AVX2: the loops of all headers here, compiled once more, with
// simd.hpp's vectors of 32 bytes. The compiler flags of this file are in isa.cmake.
#define CHAINRULE_ISA_AVX2
#include "kernels/inference_set.hpp"

namespace chainrule::kernels {
extern const InferenceSet inference_avx2;
constexpr InferenceSet inference_avx2 = inference_set("avx2");
}  // namespace chainrule::kernels

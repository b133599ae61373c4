// SPDX-License-Identifier: Apache-2.0
// The kernels of predictions for AVX-512: the loops of all headers here, compiled once more, with
// simd.hpp's vectors of 64 bytes. The compiler flags of this file are in isa.cmake.
#define CHAINRULE_ISA_AVX512
#include "kernels/inference_set.hpp"

namespace chainrule::kernels {
extern const InferenceSet inference_avx512;
constexpr InferenceSet inference_avx512 = inference_set("avx512");
}  // namespace chainrule::kernels

// SPDX-License-Identifier: Apache-2.0
// The unit for dual numbers: their kernels, and the engine's templates once more, of which only
// what Hessian uses is made. Nothing else of the library refers to it, so that a linker leaves it
// out of other programs.
#define CHAINRULE_ISA_PORTABLE
#define CHAINRULE_DUAL_NUMBERS

#include "kernels/dual_set.hpp"
// Before what would make these for dual numbers too.
#include "engine/input/dual_input.hpp"
#include "engine/optimizer/optimizer_state.hpp"
#include "engine/stages/dual_functions.hpp"

namespace chainrule::engine {

/// No step updates dual numbers, so no row of theirs has to be visited for its state.
template <>
inline ZeroGradient zero_gradient<kernels::Dual>(const Optimizer&, const ParameterSpec&) {
  return ZeroGradient::skips;
}

}  // namespace chainrule::engine

// Their templates are defined there.
#include "engine/input/sparse_input.cpp"
#include "engine/parameters.cpp"
#include "engine/plan.cpp"
#include "engine/plan_memory.cpp"
#include "engine/plan_passes.cpp"
#include "engine/stage_graph.cpp"
#include "engine/stages/activation.cpp"
#include "engine/stages/batch_normalization.cpp"
#include "engine/stages/category_encoding.cpp"
#include "engine/stages/clip.cpp"
#include "engine/stages/concatenate.cpp"
#include "engine/stages/dot.cpp"
#include "engine/stages/dropout.cpp"
#include "engine/stages/dual_convolution.cpp"
#include "engine/stages/dual_dense.cpp"
#include "engine/stages/embedding.cpp"
#include "engine/stages/gaussian_noise.cpp"
#include "engine/stages/layer_normalization.cpp"
#include "engine/stages/loss.cpp"
#include "engine/stages/merge.cpp"
#include "engine/stages/normalization.cpp"
#include "engine/stages/parametric_activation.cpp"
#include "engine/stages/periodic_embedding.cpp"
#include "engine/stages/permute.cpp"
#include "engine/stages/piecewise_linear_embedding.cpp"
#include "engine/stages/pooling.cpp"
#include "engine/stages/positions.cpp"
#include "engine/stages/prelu.cpp"
#include "engine/stages/recurrence.cpp"
#include "engine/stages/registry.cpp"
#include "engine/stages/rescaling.cpp"
#include "engine/stages/reshape.cpp"
#include "engine/stages/scale.cpp"
#include "engine/stages/take.cpp"
// Last, since it uses them.
#include "engine/hessian.cpp"

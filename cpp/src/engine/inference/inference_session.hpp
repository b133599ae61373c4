// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/compiled_loss.hpp"
#include "engine/inference/spares.hpp"
#include "engine/plan.hpp"

namespace chainrule {

/// A plan that predicts what a node gives, or with -1 all outputs.
template <class T>
struct ForwardPlan {
  std::int64_t node;
  engine::Plan<T> plan;
};

/// The plans of predictions and evaluations, which any number of threads borrow at once.
template <class T>
struct InferenceSession {
  engine::Spares<ForwardPlan<T>> plans;
  engine::Spares<ForwardPlan<T>> first_layers;  // of some layers only
  engine::Spares<CompiledLoss<T>> evaluation;
};

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chainrule/loss.hpp"
#include "engine/plan.hpp"
#include "engine/stages/loss.hpp"

namespace chainrule {

/// A plan with the loss that it ends in, kept for the next call of the same kind.
template <class T>
struct CompiledLoss {
  Loss loss;
  engine::Plan<T> plan;
  engine::LossStage<T> stage;
};

}  // namespace chainrule

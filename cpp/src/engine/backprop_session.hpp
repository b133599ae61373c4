// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "engine/buffer.hpp"
#include "engine/compiled_loss.hpp"
#include "engine/optimizer/step_bounds.hpp"
#include "engine/optimizer/stored_update.hpp"
#include "engine/parameters.hpp"
#include "engine/plan.hpp"
#include "kernels/dispatch.hpp"

namespace chainrule {

/// Gradients that are kept, with what updates by them: those of backpropagation by hand, and of
/// training where their norm must be known before any of them is used.
template <class T>
struct StoredGradients {
  engine::Buffer<T> values;  // an arena of parameters
  bool valid = false;        // for a step by hand
  std::unique_ptr<engine::StoredUpdate<T>> update;

  /// Takes memory at the first use: training that uses gradients up at once never needs it.
  void make_room(const engine::Parameters<T>& parameters) {
    if (values.empty()) values = engine::Buffer<T>(parameters.arena_size());
    if (!update)
      update = std::make_unique<engine::StoredUpdate<T>>(kernels::active<T>(), parameters);
  }
};

/// What backpropagation by hand keeps between forward, backward and step.
template <class T>
struct BackpropSession {
  std::unique_ptr<engine::Plan<T>> plan;
  std::unique_ptr<CompiledLoss<T>> checking;  // compute_gradients
  std::optional<engine::Step<T>>
      forward_step;                  // of the last forward pass, if its weights are there
  std::int64_t activation_rows = 0;  // that went through the plan last; 0: none, or not to the end
  engine::StepBounds<T> step_bounds;

  /// In a forked child: what threads of the parent were about to fill is not used.
  void recover() {
    plan.reset();
    checking.reset();
    activation_rows = 0;
    forward_step.reset();
  }
};

}  // namespace chainrule

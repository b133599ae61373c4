// SPDX-License-Identifier: Apache-2.0
// The way back from weights that have become useless.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "chainrule/error.hpp"
#include "engine/all_finite.hpp"
#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"
#include "engine/optimizer/step_bounds.hpp"
#include "engine/threads/team.hpp"
#include "kernels/dispatch.hpp"

namespace chainrule {

using engine::Step;
using engine::ThreadContext;

// For a caller that finds after an epoch that it went wrong, such as by a validation that is NaN.
template <class T>
void Network<T>::restore_epoch() {
  State& s = *state_;
  const engine::Changing guard(s);
  // What was kept is of an epoch's beginning: of the one under way, or of the last one.
  const bool begun = s.training.kept_epoch >= 0 && s.training.kept_epoch == s.epochs;
  const bool done = s.training.kept_epoch >= 0 && s.training.kept_epoch == s.epochs - 1;
  if (!begun && !done) throw StateError("there is no epoch to restore: none has been trained last");
  const std::int64_t kept = s.training.kept_epoch;
  s.restore_after_divergence();
  s.epochs = kept;
  s.backprop.forward_step.reset();
  s.gradients.valid = false;
}

// Running statistics, which a forward pass in training changes, are few: they are copied before
// each batch that may have to be undone.
template <class T>
void Network<T>::State::keep_statistics() {
  engine::Buffer<T>& to = training.statistics;
  if (to.empty()) to = engine::Buffer<T>(parameters.for_each_statistic([](auto...) {}));
  parameters.for_each_statistic([&](std::int64_t at, std::int64_t count, std::int64_t place) {
    std::copy_n(parameters.values.data() + at, count, to.data() + place);
  });
}

template <class T>
void Network<T>::State::keep_for_divergence() {
  training.keep(
      parameters.values, optimizer, total_steps, epochs,
      engine::norm_of(kernels::active<T>(), parameters.values.data(), parameters.arena_size()),
      engine::StepBounds<T>::kMostGrowth);
}

template <class T>
bool Network<T>::State::statistics_finite() const {
  bool finite = true;
  parameters.for_each_statistic([&](std::int64_t at, std::int64_t count, std::int64_t) {
    const T* values = parameters.values.data() + at;
    finite = finite && engine::all_finite<T>(count, [&](std::int64_t i) { return values[i]; });
  });
  return finite;
}

// x: rows x inputs, in batches of the plan, on one thread; it stops at the first bad batch.
template <class T>
bool Network<T>::State::predicts_finite(engine::Plan<T>& plan, const Inputs& x,
                                        engine::RowList list) {
  bool finite = true;
  engine::run_team(1, [&](engine::Team team) {
    ThreadContext context(team);
    Step<T> step;
    for (std::int64_t first = 0; finite && first < list.count; first += step.rows) {
      step.rows = std::min(plan.batch_size(), list.count - first);
      plan.load(context, step, x, list.from(first));
      plan.forward(context, step);
      for (std::size_t output = 0; output < plan.results(); ++output) {
        const engine::Tensor<T>& y = plan.result(output);
        for (std::int64_t i = 0; i < step.rows * y.positions; ++i)
          for (std::int64_t j = 0; j < y.columns; ++j)
            finite = finite && std::isfinite(y.row(i)[j]);
      }
    }
  });
  return finite;
}

// Chooses the weights to go back to, says which layer NaN or infinity was first seen in, and
// throws. The plan holds the tensors of the batch that went wrong, `rows` of them.
template <class T>
void Network<T>::State::report_divergence(engine::Plan<T>& plan, const Inputs& x,
                                          engine::RowList list, std::int64_t rows,
                                          std::int64_t epoch, std::int64_t batch, double loss,
                                          bool weights_kept) {
  // The tensors still hold what the old weights gave, so the layer is found before anything goes
  // back.
  std::int64_t layer = plan.first_bad_layer(rows);
  if (layer < 0) layer = static_cast<std::int64_t>(layers.size()) - 1;
  Checkpoint<T>* back = training.older.held ? &training.older : nullptr;
  if (weights_kept) {
    restore_after_divergence();
  } else {
    back = training.kept_trained ? &training.kept : nullptr;
  }
  // Finite weights may be so large that what they give is not. They came from smaller ones; where
  // those give nothing better, it is the rows that are not finite.
  if (back && !predicts_finite(plan, x, list)) {
    parameters.values.swap_numbers(back->values);
    backprop.step_bounds.forget();
    if (predicts_finite(plan, x, list)) {
      std::swap(optimizer, back->optimizer);
      total_steps = back->total_steps;
      epochs = back->epochs;
      training.forget_older();
    } else {
      parameters.values.swap_numbers(back->values);
    }
  }
  const Node& node = graph.node(graph.layer_node_index(layer));
  const std::string name = node.name + " (" + std::string((*node.layer)->kind()) + ")";
  throw DivergenceError("training diverged: the loss became " +
                            std::string(std::isnan(loss) ? "NaN" : "infinite") + " in epoch " +
                            std::to_string(epoch) + ", batch " + std::to_string(batch) +
                            ", first seen in layer " + name + "; the weights are those of before" +
                            (epochs + 1 < epoch ? " epoch " + std::to_string(epochs + 1) : "") +
                            ". Try a smaller learning rate, clip_norm, "
                            "or inputs of unit scale",
                        epoch, batch, name, loss);
}

#define CHAINRULE_MEMBERS(T)                                                                      \
  template void Network<T>::State::keep_statistics();                                             \
  template void Network<T>::State::keep_for_divergence();                                         \
  template bool Network<T>::State::statistics_finite() const;                                     \
  template bool Network<T>::State::predicts_finite(engine::Plan<T>&, const Inputs&,               \
                                                   engine::RowList);                              \
  template void Network<T>::State::report_divergence(engine::Plan<T>&, const Inputs&,             \
                                                     engine::RowList, std::int64_t, std::int64_t, \
                                                     std::int64_t, double, bool);                 \
  template void Network<T>::restore_epoch();
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

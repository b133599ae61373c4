// SPDX-License-Identifier: Apache-2.0
#include "engine/second_order/full_batch_loss.hpp"

#include <algorithm>

#include "engine/network_state.hpp"
#include "engine/pieces.hpp"
#include "engine/threads/thread_count.hpp"

namespace chainrule {

using engine::Partition;
using engine::Range;
using engine::Step;
using engine::ThreadContext;

namespace {

/// A plan for training's passes, of as many threads as a batch keeps busy.
template <class T>
engine::PlanOptions plan_for(const SolvedNetwork<T>& network, const TrainingRows& rows,
                             const FullBatchOptions& options) {
  engine::PlanOptions plan;
  plan.batch_size = std::min(options.batch_size, rows.rows());
  plan.threads = engine::threads_for(network.multiply_adds, plan.batch_size, options.num_threads);
  plan.backward = true;
  plan.whole_steps = true;
  plan.losses = rows.all_losses();
  plan.occupancy = &network.occupancy;
  return plan;
}

}  // namespace

// The losses are made ready for gradients of the mean over all rows, so that those of the batches
// need only be added up. The rows' path is chosen once: the rows stay the same.
template <class T>
FullBatchLoss<T>::FullBatchLoss(const SolvedNetwork<T>& network, const TrainingRows& rows,
                                const FullBatchOptions& options)
    : network_(network),
      rows_(rows),
      batch_size_(std::min(options.batch_size, rows.rows())),
      vector_(network.parameters),
      compiled_(kernels::active<T>(), network.graph, network.parameters, rows.all_losses(),
                plan_for(network, rows, options)),
      gradients_(network.parameters.arena_size()),
      sums_(network.parameters.arena_size()) {
  compiled_.prepare(rows.y, true);
  compiled_.plan.refresh();
  compiled_.plan.choose_path(rows.x, options.input_sparsity);
}

// loss(w) = mean over all rows + penalties; gradient: size(); outputs: null or rows x outputs
// Each batch leaves its gradients in gradients_, an arena of T, and a thread adds its slice of it
// to sums_ in double. It waits before, for those that the other threads have worked out, and the
// next batch waits at its first barrier for the additions.
template <class T>
double FullBatchLoss<T>::evaluate(const Vector& w, Vector& gradient, T* outputs, const Poll& poll) {
  compiled_.plan.refresh();
  compiled_.begin();
  sums_.clear();
  const auto piece = [&](engine::Team team, std::int64_t begin, std::int64_t end) {
    ThreadContext context(team);
    engine::Plan<T>& plan = compiled_.plan;
    for (std::int64_t first = begin; first < end; first += batch_size_) {
      Step<T> step;
      step.rows = std::min(batch_size_, end - first);
      step.training = true;
      step.gradients = gradients_.data();
      const engine::RowOrder order{nullptr, first};
      plan.load(context, step, rows_.x, order);
      plan.forward(context, step);
      compiled_.run(step, context, rows_.y, order, true);
      if (plan.calls().failed()) return;
      if (outputs) compiled_.copy_outputs(step.rows_of(context.slice()), order, outputs);
      plan.backward(context, step);
      context.sync_for(Partition::columns);
      if (plan.calls().failed()) return;
      if (context.first_thread()) compiled_.add_batch(step.rows);
      plan.gradients(context, step);
      context.sync_for(Partition::columns);
      const Range mine = context.slice().range(sums_.size(), kernels::kRowAlignment<T>);
      for (std::int64_t i = mine.begin; i < mine.end; ++i)
        sums_.data()[i] += static_cast<double>(gradients_.data()[i]);
    }
  };
  constexpr double passes = 3.0;  // as much work as the forward pass
  engine::run_in_pieces(rows_.rows(), batch_size_, passes * network_.work_of_row,
                        compiled_.plan.threads(), network_.occupancy, poll, piece);
  compiled_.plan.calls().rethrow();
  compiled_.plan.check_unchanged();
  vector_.read(sums_.data(), gradient.data());
  return data_loss() + vector_.add_penalties(w, gradient);
}

template class FullBatchLoss<float>;
template class FullBatchLoss<double>;

}  // namespace chainrule

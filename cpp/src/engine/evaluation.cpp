// SPDX-License-Identifier: Apache-2.0
// Networks together with a loss.
#include <cmath>

#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"
#include "engine/pieces.hpp"
#include "engine/threads/threads.hpp"
#include "model/last_activation.hpp"

namespace chainrule {

using engine::Partition;
using engine::Step;
using engine::ThreadContext;

template <class T>
CompiledLoss<T>& Network<T>::State::compile(std::unique_ptr<CompiledLoss<T>>& slot,
                                            const Loss& loss, const engine::PlanOptions& options) {
  if (!slot || !(slot->loss == loss) || slot->plan.batch_size() != options.batch_size ||
      slot->plan.threads() != options.threads) {
    slot.reset();
    const kernels::KernelTable<T>& all = kernels::table<T>(kernels::active());
    slot.reset(new CompiledLoss<T>{loss, engine::Plan<T>(all, graph, parameters, options),
                                   engine::LossStage<T>(all, loss, outputs, options.batch_size)});
  }
  slot->plan.refresh();
  return *slot;
}

template <class T>
void Network<T>::State::check_loss(const Loss& loss) const {
  loss.check();
  (void)loss.target_columns(outputs);
  model::check_last_activation(loss, graph, graph.outputs().front());
}

template <class T>
void Network<T>::State::check_targets(const RowsView& x, const TargetsView& y,
                                      const Loss& loss) const {
  check_input(x);
  if (y.rows != x.rows) {
    throw Error("x has " + std::to_string(x.rows) + " rows but y has " + std::to_string(y.rows));
  }
  check_loss(loss);
  engine::LossStage<T>::check(loss, y, outputs);
}

template <class T>
void Network<T>::check(const RowsView& x, const TargetsView& y, const Loss& loss) const {
  state_->check_targets(x, y, loss);
}

template <class T>
void Network<T>::check_loss(const Loss& loss) const {
  state_->check_loss(loss);
}

template <class T>
double Network<T>::evaluate(const RowsView& x, const TargetsView& y, const Loss& loss,
                            std::int64_t batch_size, int num_threads, T* outputs,
                            InputSparsity input_sparsity, const Callback<void()>& poll,
                            LossSum* losses) const {
  State& s = *state_;
  const engine::Reading guard(s);
  s.check_targets(x, y, loss);
  s.check_categories(x);
  State::check_no_overlap(x, "x", outputs, s.outputs);
  if (!y.labels) State::check_no_overlap(y.values, "y", outputs, s.outputs);
  if (batch_size < 1) throw Error("batch_size must be >= 1, got " + std::to_string(batch_size));
  engine::PlanOptions options;
  options.batch_size = std::min(batch_size, x.rows);
  options.threads = engine::threads_for(s.multiply_adds, options.batch_size, num_threads);
  options.losses = loss;
  typename engine::Spares<CompiledLoss<T>>::Loan loan(s.inference.evaluation);
  CompiledLoss<T>& compiled = s.compile(loan.item, loss, options);
  compiled.stage.prepare(y);
  compiled.plan.choose_path(x, input_sparsity);
  const double unit = compiled.stage.weight_unit();
  engine::MeanLoss mean;
  if (losses) {
    const double ratio = losses->unit / unit;  // a power of two, so no bit is lost
    mean = {losses->sum * ratio, losses->weight * ratio};
  }
  const auto piece = [&](engine::Team team, std::int64_t begin, std::int64_t end) {
    ThreadContext context(team);
    for (std::int64_t first = begin; first < end; first += options.batch_size) {
      Step<T> step;
      step.rows = std::min(options.batch_size, end - first);
      compiled.plan.load(context, step, x, {nullptr, first});
      compiled.plan.forward(context, step);
      compiled.stage.run(step, context.slice(), y, {nullptr, first}, compiled.plan.result(), {});
      if (outputs)
        copy_rows(compiled.plan.result(), step.rows_of(context.slice()), {nullptr, first}, outputs);
      context.sync_for(Partition::columns);
      if (context.first_thread()) mean.add(compiled.stage.mean(step.rows));
    }
  };
  engine::run_in_pieces(x.rows, options.batch_size, s.work_of_row(), options.threads, s.occupancy,
                        poll, piece);
  compiled.plan.check_unchanged();
  if (!std::isfinite(mean.sum)) {
    check_finite<T>(x, "x");
    check_finite<T>(y, "y");
  }
  if (losses) *losses = {mean.sum, mean.weight, unit};
  return mean.value();
}

template <class T>
std::int64_t Network<T>::first_bad_layer(const RowsView& x) const {
  State& s = *state_;
  const engine::Reading guard(s);
  s.check_input(x);
  s.check_categories(x);
  const engine::PlanOptions options{.batch_size = x.rows, .keep_values = true};
  engine::Plan<T> plan(s.kernels, s.graph, s.parameters, options);
  plan.refresh();
  plan.choose_path(x, InputSparsity::automatic);
  Step<T> step;
  step.rows = x.rows;
  engine::run_team(1, [&](engine::Team team) {
    ThreadContext context(team);
    plan.load(context, step, x, {});
    plan.forward(context, step);
  });
  return plan.first_bad_layer(x.rows);
}

#define CHAINRULE_MEMBERS(T)                                                                       \
  template CompiledLoss<T>& Network<T>::State::compile(std::unique_ptr<CompiledLoss<T>>&,          \
                                                       const Loss&, const engine::PlanOptions&);   \
  template void Network<T>::State::check_loss(const Loss&) const;                                  \
  template void Network<T>::check_loss(const Loss&) const;                                         \
  template std::int64_t Network<T>::first_bad_layer(const RowsView&) const;                        \
  template void Network<T>::State::check_targets(const RowsView&, const TargetsView&, const Loss&) \
      const;                                                                                       \
  template void Network<T>::check(const RowsView&, const TargetsView&, const Loss&) const;         \
  template double Network<T>::evaluate(const RowsView&, const TargetsView&, const Loss&,           \
                                       std::int64_t, int, T*, InputSparsity,                       \
                                       const Callback<void()>&, LossSum*) const;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
// Networks together with a loss.
#include <cmath>

#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"
#include "engine/pieces.hpp"
#include "engine/threads/team.hpp"
#include "engine/threads/thread_count.hpp"
#include "model/last_activation.hpp"

namespace chainrule {

using engine::Partition;
using engine::Step;
using engine::ThreadContext;

// The plan and the losses in `slot`, made anew unless they are for the same losses, batch size and
// threads. The old one goes first: the two together might not fit into memory.
template <class T>
CompiledLoss<T>& Network<T>::State::compile(std::unique_ptr<CompiledLoss<T>>& slot,
                                            const Losses& losses,
                                            const engine::PlanOptions& options) {
  if (!slot || !slot->is_for(losses, options)) {
    slot.reset();
    engine::PlanOptions own = options;
    own.occupancy = &occupancy;
    slot = std::make_unique<CompiledLoss<T>>(kernels::active<T>(), graph, parameters, losses, own);
  }
  slot->plan.refresh();
  return *slot;
}

// One loss for each output of the graph, each with a weight, and none behind a last activation
// whose values it cannot work with.
template <class T>
void Network<T>::State::check_loss(const Losses& losses) const {
  const std::vector<std::int64_t>& nodes = graph.outputs();
  if (losses.size() != nodes.size())
    throw Error("the network has " + std::to_string(nodes.size()) + " outputs, got " +
                std::to_string(losses.size()) + (losses.size() == 1 ? " loss" : " losses"));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!std::isfinite(losses.weight(i)) || losses.weight(i) < 0.0)
      throw Error("the weight of the loss of " + output_name(i) + " must be finite and >= 0, got " +
                  std::to_string(losses.weight(i)));
    losses[i].check();
    (void)losses[i].target_columns(graph.node(nodes[i]).shape);
    model::check_last_activation(losses[i], graph, nodes[i]);
  }
}

// Shapes of x, as many rows of each y, the losses, and each y by its loss.
template <class T>
void Network<T>::State::check_targets(const Inputs& x, const Targets& y,
                                      const Losses& losses) const {
  check_input(x);
  const std::vector<std::int64_t>& nodes = graph.outputs();
  if (y.size() != nodes.size())
    throw Error("the network has " + std::to_string(nodes.size()) + " outputs, got targets for " +
                std::to_string(y.size()));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (y[i].rows != x.rows())
      throw Error("x has " + std::to_string(x.rows()) + " rows but " + output_name(i) + " has " +
                  std::to_string(y[i].rows));
  }
  check_loss(losses);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    engine::LossStage<T>::check(losses[i], y[i], graph.node(nodes[i]).shape);
}

template <class T>
void Network<T>::check(const Inputs& x, const Targets& y, const Losses& losses) const {
  state_->check_targets(x, y, losses);
}

template <class T>
void Network<T>::check_loss(const Losses& losses) const {
  state_->check_loss(losses);
}

// x: rows x inputs, outputs: null or rows x outputs for the predictions. A forward pass and the
// losses of each batch, in the order of the rows; the mean is that of all batches by their weights.
template <class T>
double Network<T>::evaluate(const Inputs& x, const Targets& y, const Losses& losses,
                            std::int64_t batch_size, int num_threads, T* outputs,
                            InputSparsity input_sparsity, const Callback<void()>& poll,
                            LossSums* sums, std::span<const std::int64_t> rows) const {
  State& s = *state_;
  const engine::Reading guard(s);
  s.check_targets(x, y, losses);
  s.check_categories(x);
  engine::check_row_numbers(rows, x.rows(), "rows");
  const engine::RowList list(rows, x.rows());
  s.check_no_overlap(x, y, outputs, list.count, s.outputs);
  if (batch_size < 1) throw Error("batch_size must be >= 1, got " + std::to_string(batch_size));
  engine::PlanOptions options;
  options.batch_size = std::min(batch_size, list.count);
  options.threads = engine::threads_for(s.multiply_adds, options.batch_size, num_threads);
  options.losses = losses;
  // Evaluations go on side by side: each borrows a plan that no other call uses meanwhile.
  typename engine::Spares<CompiledLoss<T>>::Loan loan(s.inference.evaluation);
  CompiledLoss<T>& compiled = s.compile(loan.item, losses, options);
  compiled.prepare(y);
  // Sums go on where an earlier call left them, so that rows may come in pieces.
  compiled.begin(sums ? *sums : LossSums());
  compiled.plan.choose_path(x, input_sparsity);
  const auto piece = [&](engine::Team team, std::int64_t begin, std::int64_t end) {
    ThreadContext context(team);
    for (std::int64_t first = begin; first < end; first += options.batch_size) {
      Step<T> step;
      step.rows = std::min(options.batch_size, end - first);
      compiled.plan.load(context, step, x, list.from(first));
      compiled.plan.forward(context, step);
      compiled.run(step, context, y, list.from(first), false);
      if (compiled.plan.calls().failed()) return;
      if (outputs) compiled.copy_outputs(step.rows_of(context.slice()), {nullptr, first}, outputs);
      // The first thread adds up the losses of rows that other threads have written.
      context.sync_for(Partition::columns);
      if (context.first_thread()) compiled.add_batch(step.rows);
    }
  };
  engine::run_in_pieces(list.count, options.batch_size, s.work_of_row(), options.threads,
                        s.occupancy, poll, piece);
  compiled.plan.calls().rethrow();
  compiled.plan.check_unchanged();
  // Data are looked through only where something went wrong, which spares every good call a pass.
  const double mean = compiled.all().mean(losses);
  if (!std::isfinite(mean)) {
    for (std::size_t i = 0; i < x.size(); ++i)
      check_finite<T>(x[i], s.input_name(i).c_str(), {}, s.missing_columns[i]);
    for (std::size_t i = 0; i < y.size(); ++i) check_finite<T>(y[i], s.output_name(i).c_str());
  }
  if (sums) *sums = compiled.all();
  return mean;
}

// x: rows x inputs. Only a plan that keeps every tensor can say where NaN or infinity began; the
// usual ones hand buffers on. It runs on one thread, since speed does not matter here.
template <class T>
std::int64_t Network<T>::first_bad_layer(const Inputs& x,
                                         std::span<const std::int64_t> rows) const {
  State& s = *state_;
  const engine::Reading guard(s);
  s.check_input(x);
  s.check_categories(x);
  engine::check_row_numbers(rows, x.rows(), "rows");
  const engine::RowList list(rows, x.rows());
  const engine::PlanOptions options{
      .batch_size = list.count, .keep_values = true, .occupancy = &s.occupancy};
  engine::Plan<T> plan(s.kernels, s.graph, s.parameters, options);
  plan.refresh();
  plan.choose_path(x, InputSparsity::automatic);
  Step<T> step;
  step.rows = list.count;
  engine::run_team(1, [&](engine::Team team) {
    ThreadContext context(team);
    plan.load(context, step, x, list.from(0));
    plan.forward(context, step);
  });
  plan.calls().rethrow();
  return plan.first_bad_layer(list.count);
}

#define CHAINRULE_MEMBERS(T)                                                                       \
  template CompiledLoss<T>& Network<T>::State::compile(std::unique_ptr<CompiledLoss<T>>&,          \
                                                       const Losses&, const engine::PlanOptions&); \
  template void Network<T>::State::check_loss(const Losses&) const;                                \
  template void Network<T>::check_loss(const Losses&) const;                                       \
  template std::int64_t Network<T>::first_bad_layer(const Inputs&, std::span<const std::int64_t>)  \
      const;                                                                                       \
  template void Network<T>::State::check_targets(const Inputs&, const Targets&, const Losses&)     \
      const;                                                                                       \
  template void Network<T>::check(const Inputs&, const Targets&, const Losses&) const;             \
  template double Network<T>::evaluate(const Inputs&, const Targets&, const Losses&, std::int64_t, \
                                       int, T*, InputSparsity, const Callback<void()>&, LossSums*, \
                                       std::span<const std::int64_t>) const;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

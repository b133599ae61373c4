// SPDX-License-Identifier: Apache-2.0
// Predictions by a plan that a call borrows, a chunk of rows at a time, so that memory is that of a
// chunk however many rows there are.
#include <algorithm>

#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"
#include "engine/pieces.hpp"
#include "engine/threads/team.hpp"
#include "engine/threads/thread_count.hpp"

namespace chainrule {

using engine::Step;
using engine::ThreadContext;

// x: rows x inputs, to: rows x columns of the node, or of all outputs. Each chunk is loaded and run
// forward by all threads, and each thread copies the results of its own rows. A chunk that is
// shorter than the others has other slices, so all threads meet before it.
template <class T>
void Network<T>::State::infer(std::int64_t node, engine::Spares<ForwardPlan<T>>& spares,
                              const Inputs& x, std::int64_t batch_size, int num_threads, T* to,
                              InputSparsity input_sparsity, const Callback<void()>& poll) {
  check_input(x);
  check_categories(x);
  if (batch_size < 1) throw Error("batch_size must be >= 1, got " + std::to_string(batch_size));
  // Rows that take a fifth of a second even on a slow core are enough at a time.
  constexpr double most_work = 2e8;
  const double work = work_of_row();
  const auto most = std::max<std::int64_t>(1024, static_cast<std::int64_t>(most_work / work));
  const std::int64_t chunk = std::min({batch_size, x.rows(), most});
  const int threads = engine::threads_for(multiply_adds, chunk, num_threads);
  // Any plan that is large enough serves: a row's bits do not depend on the plan.
  typename engine::Spares<ForwardPlan<T>>::Loan loan(spares);
  if (!loan.item || loan.item->node != node || loan.item->plan.batch_size() < chunk ||
      loan.item->plan.threads() < threads) {
    engine::PlanOptions options;
    options.batch_size = chunk;
    options.threads = threads;
    options.occupancy = &occupancy;
    if (node >= 0) options.result_nodes = {node};
    loan.item.reset(new ForwardPlan<T>{node, engine::Plan<T>(kernels, graph, parameters, options)});
  }
  engine::Plan<T>& plan = loan.item->plan;
  plan.refresh();
  plan.choose_path(x, input_sparsity);
  check_no_overlap(x, to, plan.result_columns());
  const auto piece = [&](engine::Team team, std::int64_t begin, std::int64_t end) {
    ThreadContext context(team);
    for (std::int64_t first = begin; first < end; first += chunk) {
      Step<T> step;
      step.rows = std::min(chunk, end - first);
      if (step.rows < chunk) context.barrier();
      plan.load(context, step, x, {nullptr, first});
      plan.forward(context, step);
      if (plan.calls().failed()) return;
      copy_results(plan, step.rows_of(context.slice()), {nullptr, first}, to);
    }
  };
  engine::run_in_pieces(x.rows(), chunk, work, threads, occupancy, poll, piece);
  plan.calls().rethrow();
  plan.check_unchanged();
}

template <class T>
void Network<T>::predict(const Inputs& x, std::int64_t batch_size, int num_threads, T* outputs,
                         InputSparsity input_sparsity, const Callback<void()>& poll) const {
  State& s = *state_;
  const engine::Reading guard(s);
  s.infer(-1, s.inference.plans, x, batch_size, num_threads, outputs, input_sparsity, poll);
}

// As predict, with x: rows x inputs and outputs: rows x columns of that layer.
template <class T>
void Network<T>::predict_first(std::int64_t layers, const Inputs& x, std::int64_t batch_size,
                               int num_threads, T* outputs, InputSparsity input_sparsity,
                               const Callback<void()>& poll) const {
  State& s = *state_;
  const auto all = static_cast<std::int64_t>(s.layers.size());
  if (layers < 1 || layers > all)
    throw Error("layers must lie in 1.." + std::to_string(all) + ", got " + std::to_string(layers));
  const engine::Reading guard(s);
  s.infer(s.graph.layer_node_index(layers - 1), s.inference.first_layers, x, batch_size,
          num_threads, outputs, input_sparsity, poll);
}

// A plan of one row is made where rows are compressed, since only it knows whether the first layers
// take those.
template <class T>
void Network<T>::check_takes(const Inputs& x, const std::vector<std::string>& columns) const {
  State& s = *state_;
  const engine::Reading guard(s);
  s.check_input(x);
  s.check_categories(x, columns);
  if (std::none_of(x.begin(), x.end(), [](const RowsView& rows) { return rows.compressed(); }))
    return;
  engine::Plan<T> plan(s.kernels, s.graph, s.parameters, {.batch_size = 1});
  plan.refresh();
  plan.choose_path(x, InputSparsity::automatic);
}

template <class T>
std::vector<T> Network<T>::predict(const Inputs& x, std::int64_t batch_size,
                                   int num_threads) const {
  state_->check_input(x);
  std::vector<T> outputs(
      static_cast<std::size_t>(engine::checked_product(x.rows(), state_->outputs)));
  predict(x, batch_size, num_threads, outputs.data());
  return outputs;
}

#define CHAINRULE_MEMBERS(T)                                                                   \
  template void Network<T>::predict(const Inputs&, std::int64_t, int, T*, InputSparsity,       \
                                    const Callback<void()>&) const;                            \
  template void Network<T>::predict_first(std::int64_t, const Inputs&, std::int64_t, int, T*,  \
                                          InputSparsity, const Callback<void()>&) const;       \
  template void Network<T>::check_takes(const Inputs&, const std::vector<std::string>&) const; \
  template std::vector<T> Network<T>::predict(const Inputs&, std::int64_t, int) const;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

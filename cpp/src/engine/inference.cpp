// SPDX-License-Identifier: Apache-2.0
#include "engine/network_state.hpp"
#include "engine/threads.hpp"

namespace chainrule {

using engine::Flow;
using engine::Step;

template <class T>
void Network<T>::predict(const RowsView& x, std::int64_t batch_size, int num_threads, T* outputs,
                         InputSparsity input_sparsity) {
  State& s = *state_;
  const InUse guard(s.busy);
  s.check_input(x);
  s.check_categories(x);
  if (batch_size < 1) throw Error("batch_size must be >= 1, got " + std::to_string(batch_size));
  const std::int64_t chunk = std::min(batch_size, x.rows);
  const int threads = s.threads_for(chunk, num_threads);
  // Any plan that is large enough serves: a row's bits do not depend on the plan.
  if (!s.inference || s.inference->batch_size() < chunk || s.inference->threads() < threads) {
    engine::PlanOptions options;
    options.batch_size = chunk;
    options.threads = threads;
    s.inference =
        std::make_unique<engine::Plan<T>>(s.kernels, s.layers, s.parameters, s.inputs, options);
  }
  engine::Plan<T>& plan = *s.inference;
  plan.refresh();
  plan.choose_path(x, input_sparsity);
  engine::run_piece(threads, [&](engine::Team team) {
    Flow flow(team);
    for (std::int64_t first = 0; first < x.rows; first += chunk) {
      Step<T> step;
      step.rows = std::min(chunk, x.rows - first);
      if (step.rows < chunk) flow.meet();
      plan.load(flow, step, x, nullptr, first);
      plan.forward(flow, step);
      copy_rows<T>(plan.result(), step.rows_of(flow.share()), nullptr, first, outputs);
    }
  });
  plan.check_unchanged();
}

template <class T>
void Network<T>::check_takes(const RowsView& x) {
  State& s = *state_;
  const InUse guard(s.busy);
  s.check_input(x);
  s.check_categories(x);
  if (!x.compressed()) return;
  engine::Plan<T> plan(s.kernels, s.layers, s.parameters, s.inputs, {.batch_size = 1});
  plan.refresh();
  plan.choose_path(x, InputSparsity::automatic);
}

template <class T>
std::vector<T> Network<T>::predict(const RowsView& x, std::int64_t batch_size, int num_threads) {
  state_->check_input(x);
  std::vector<T> outputs(static_cast<std::size_t>(x.rows * state_->outputs));
  predict(x, batch_size, num_threads, outputs.data());
  return outputs;
}

#define CHAINRULE_INSTANTIATE(T)                                                            \
  template void Network<T>::predict(const RowsView&, std::int64_t, int, T*, InputSparsity); \
  template void Network<T>::check_takes(const RowsView&);                                   \
  template std::vector<T> Network<T>::predict(const RowsView&, std::int64_t, int);

CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
// The chain rule step by step: the same stages as in training, with the gradients kept instead of
// used up.
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/input/gather.hpp"
#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"
#include "engine/threads/team.hpp"
#include "engine/threads/thread_count.hpp"

namespace chainrule {

using engine::Partition;
using engine::Step;
using engine::ThreadContext;

namespace {

/// Copies a thread's rows of d loss / d x, those of all inputs side by side, into the caller's
/// array of `columns` columns.
template <class T>
void copy_input_gradients(const engine::Plan<T>& plan, engine::Range rows, std::int64_t columns,
                          T* to) {
  for (std::size_t i = 0; i < plan.inputs(); ++i) {
    copy_rows(plan.input_gradient(i), rows, {}, to, columns);
    to += plan.input_gradient(i).columns;
  }
}

template <class T, class State>
Step<T> step_by_hand(const State& s, std::int64_t rows, bool training) {
  Step<T> step;
  step.rows = rows;
  step.training = training;
  step.seed = s.seed;
  step.number = static_cast<std::uint64_t>(s.total_steps);
  step.schedule_step = s.total_steps;
  return step;
}

}  // namespace

// x: rows x inputs, outputs: null or rows x outputs. The plan is kept, with the tensors that
// `backward` reads; its batch is all of x, so other numbers of rows make it anew.
template <class T>
void Network<T>::forward(const Inputs& x, bool training, int num_threads, T* outputs) {
  State& s = *state_;
  const engine::Changing guard(s);
  s.check_table(x);
  s.check_no_overlap(x, outputs, s.outputs);
  if (training) s.check_batch(x.rows());
  const int threads = engine::threads_for(s.multiply_adds, x.rows(), num_threads);
  std::unique_ptr<engine::Plan<T>> fresh;
  if (!s.backprop.plan || s.backprop.plan->batch_size() != x.rows() ||
      s.backprop.plan->threads() != threads) {
    engine::PlanOptions options;
    options.batch_size = x.rows();
    options.threads = threads;
    options.backward = true;
    options.input_gradient = true;
    options.occupancy = &s.occupancy;
    options.keep_values = true;  // for get_activation
    fresh = std::make_unique<engine::Plan<T>>(kernels::active<T>(), s.graph, s.parameters, options);
  }
  engine::Plan<T>& plan = fresh ? *fresh : *s.backprop.plan;
  plan.refresh();
  plan.choose_path(x, InputSparsity::dense);
  if (fresh) {
    // Until here, backward may still be asked for the pass before.
    s.backprop.forward_step.reset();
    s.backprop.activation_rows = 0;
    s.backprop.plan = std::move(fresh);
  }
  Step<T> step = step_by_hand<T>(s, x.rows(), training);
  if (plan.calls().expected()) s.keep_statistics();
  engine::run_team(threads, [&](engine::Team team) {
    ThreadContext context(team);
    plan.load(context, step, x, {});
    plan.forward(context, step);
    if (outputs) copy_results(plan, step.rows_of(context.slice()), {}, outputs);
  });
  if (plan.calls().failed()) {
    s.put_statistics(s.parameters.values);
    s.backprop.forward_step.reset();
    s.backprop.activation_rows = 0;
    plan.calls().rethrow();
  }
  // `backward` runs the same step: the same rows, random numbers and statistics.
  s.backprop.forward_step = step;
  s.backprop.activation_rows = x.rows();
  s.gradients.valid = false;
}

// dy: rows x outputs, the gradient of the last forward pass's outputs; dx: null or rows x inputs.
// Gradients of parameters are stored in an arena, in panels as the weights are.
template <class T>
void Network<T>::backward(const RowsView& dy, T* dx) {
  State& s = *state_;
  const engine::Changing guard(s);
  if (!s.backprop.forward_step)
    throw StateError("backward needs the forward pass of the present weights: call forward first");
  Step<T> step = *s.backprop.forward_step;
  if (dy.rows != step.rows || dy.columns != s.outputs) {
    throw Error("dy has shape (" + std::to_string(dy.rows) + ", " + std::to_string(dy.columns) +
                "); the last forward pass gave (" + std::to_string(step.rows) + ", " +
                std::to_string(s.outputs) + ")");
  }
  State::check_no_overlap(dy, "dy", dx, s.inputs, "dx");
  s.gradients.make_room(s.parameters);
  engine::Plan<T>& plan = *s.backprop.plan;
  plan.calls().begin();
  step.gradients = s.gradients.values.data();
  engine::run_team(plan.threads(), [&](engine::Team team) {
    ThreadContext context(team);
    const engine::Range rows = step.rows_of(context.slice());
    // Each result takes its columns of dy, which lie side by side, into its own gradient.
    RowsView part = dy;
    for (std::size_t i = 0; i < plan.results(); ++i) {
      const engine::Tensor<T>& last = plan.result_gradient(i);
      part.columns = last.columns;
      engine::gather_rows<T>(s.kernels, part, {nullptr, rows.begin}, rows.size(), nullptr, nullptr,
                             last.row(rows.begin), last.stride);
      part.data = static_cast<const char*>(part.data) + last.columns * part.column_stride;
    }
    // Threads may own columns of the input gradient, but copy rows of it. Gradients of
    // parameters read all rows of dy, so they wait for the whole backward pass.
    plan.backward(context, step);
    if (dx) {
      context.sync_for(Partition::rows);
      copy_input_gradients(plan, rows, s.inputs, dx);
    }
    context.sync_for(Partition::columns);
    plan.gradients(context, step);
  });
  s.gradients.valid = !plan.calls().failed();
  plan.calls().rethrow();
}

// x: rows x inputs, y: rows, dx: null or rows x inputs. As forward and backward, with the gradient
// of a loss in between; no step follows, and the parameters stay as they are.
template <class T>
double Network<T>::compute_gradients(const Inputs& x, const Targets& y, const Losses& losses,
                                     bool training, int num_threads, T* dx) {
  State& s = *state_;
  const engine::Changing guard(s);
  s.check_table(x);
  s.check_targets(x, y, losses);
  s.check_no_overlap(x, y, dx, x.rows(), s.inputs, "dx");
  if (training) s.check_batch(x.rows());
  engine::PlanOptions options;
  options.batch_size = x.rows();
  options.threads = engine::threads_for(s.multiply_adds, x.rows(), num_threads);
  options.backward = true;
  options.input_gradient = true;
  options.losses = losses;
  // A plan of its own, so that a forward pass by hand before it stays valid.
  CompiledLoss<T>& compiled = s.compile(s.backprop.checking, losses, options);
  compiled.prepare(y);
  compiled.begin();
  compiled.plan.choose_path(x, InputSparsity::dense);
  s.gradients.make_room(s.parameters);
  Step<T> step = step_by_hand<T>(s, x.rows(), training);
  step.gradients = s.gradients.values.data();
  engine::FunctionCalls& calls = compiled.plan.calls();
  if (calls.expected()) s.keep_statistics();
  engine::run_team(options.threads, [&](engine::Team team) {
    ThreadContext context(team);
    compiled.plan.load(context, step, x, {});
    compiled.plan.forward(context, step);
    compiled.run(step, context, y, {}, true);
    compiled.plan.backward(context, step);
    if (dx) {
      context.sync_for(Partition::rows);
      copy_input_gradients(compiled.plan, step.rows_of(context.slice()), s.inputs, dx);
    }
    context.sync_for(Partition::columns);
    compiled.plan.gradients(context, step);
  });
  s.gradients.valid = !calls.failed();
  if (calls.failed()) s.put_statistics(s.parameters.values);
  calls.rethrow();
  return compiled.batch_loss(x.rows());
}

template <class T>
bool Network<T>::has_gradients() const {
  const engine::Reading guard(*state_);
  return state_->gradients.valid;
}

// values: the parameter's shape, row-major; without penalties, which the update adds
template <class T>
void Network<T>::get_gradient(const std::string& name, T* values) const {
  const engine::Reading guard(*state_);
  if (!state_->gradients.valid) throw StateError("there are no gradients yet: call backward first");
  const engine::Parameter& p = state_->parameters.named(name);
  if (!p.trained) throw Error(name + " is not trained and has no gradient");
  state_->parameters.unpack(p, state_->gradients.values.data(), values);
}

// values: the shape of each parameter, row-major. All are checked before the first one is set.
template <class T>
void Network<T>::set_gradients(const std::vector<std::pair<std::string, const T*>>& given,
                               bool others_zero) {
  State& s = *state_;
  const engine::Changing guard(s);
  std::vector<const engine::Parameter*> parameters;
  for (const auto& [name, values] : given) {
    const engine::Parameter& p = s.parameters.named(name);
    if (!p.trained) throw Error(name + " is not trained and has no gradient");
    for (std::int64_t i = 0; i < p.spec.shape.size(); ++i) {
      if (!std::isfinite(values[i]))
        throw Error("the gradient for " + name + " contains NaN or infinity");
    }
    parameters.push_back(&p);
  }
  s.gradients.make_room(s.parameters);
  // From here on nothing needs memory.
  // Gradients that are not given keep those that there are, or are zeros.
  if (others_zero || !s.gradients.valid) s.gradients.values.clear();
  for (std::size_t i = 0; i < given.size(); ++i)
    s.parameters.pack(*parameters[i], given[i].second, s.gradients.values.data());
  s.gradients.valid = true;
}

template <class T>
void Network<T>::set_gradient(const std::string& name, const T* values) {
  set_gradients({{name, values}});
}

template <class T>
std::int64_t Network<T>::activation_rows() const {
  const engine::Reading guard(*state_);
  return state_->backprop.activation_rows;
}

// values: rows x positions x columns. False where the layer left no tensor, as a CategoryEncoding
// of which the next layer read the categories alone.
template <class T>
bool Network<T>::get_activation(std::int64_t layer, T* values) const {
  State& s = *state_;
  const engine::Reading guard(s);
  if (s.backprop.activation_rows == 0)
    throw StateError("there are no activations yet: call forward first");
  if (layer < 0 || layer >= static_cast<std::int64_t>(s.layers.size()))
    throw Error("there is no layer " + std::to_string(layer));
  const engine::Tensor<T>& y = s.backprop.plan->output_of(layer);
  if (!y.data) return false;
  copy_rows(y, {0, s.backprop.activation_rows}, {}, values, y.positions * y.columns);
  return true;
}

#define CHAINRULE_MEMBERS(T)                                                                    \
  template void Network<T>::forward(const Inputs&, bool, int, T*);                              \
  template void Network<T>::backward(const RowsView&, T*);                                      \
  template double Network<T>::compute_gradients(const Inputs&, const Targets&, const Losses&,   \
                                                bool, int, T*);                                 \
  template bool Network<T>::has_gradients() const;                                              \
  template void Network<T>::get_gradient(const std::string&, T*) const;                         \
  template void Network<T>::set_gradient(const std::string&, const T*);                         \
  template void Network<T>::set_gradients(const std::vector<std::pair<std::string, const T*>>&, \
                                          bool);                                                \
  template std::int64_t Network<T>::activation_rows() const;                                    \
  template bool Network<T>::get_activation(std::int64_t, T*) const;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

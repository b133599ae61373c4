// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "chainrule/error.hpp"
#include "chainrule/full_batch.hpp"
#include "chainrule/network.hpp"
#include "engine/network_state.hpp"
#include "engine/second_order/refusals.hpp"
#include "engine/second_order/solver.hpp"

namespace chainrule {
// The data and the method of a training, as they were given. The solver is made in the first step,
// behind the adaptation, since it begins at the network's parameters.
template <class T>
struct FullBatchTrainer<T>::State {
  State(Network<T>& network_, const Inputs& x, const Targets& y, const Losses& losses,
        const FullBatchOptimizer& optimizer_, const FullBatchOptions& options_)
      : network(&network_), rows(x, y, losses), optimizer(optimizer_), options(options_) {
    optimizer.check();
    if (options.batch_size < 1)
      throw Error("batch_size must be >= 1, got " + std::to_string(options.batch_size));
    const char* const name = optimizer.lbfgs() ? "lbfgs" : "levenberg_marquardt";
    check_full_batch(*network, x, y, losses, name);
    const LevenbergMarquardt* const least_squares = optimizer.levenberg_marquardt();
    if (!least_squares) return;
    const engine::ParameterVector vector(network->state_->parameters);
    check_least_squares(network->graph(), vector, rows.losses, rows.y, name);
    if (least_squares->bayesian && vector.has_l2())
      throw Error(
          "levenberg_marquardt with bayesian=True weighs the squared parameters itself: l2 "
          "must be 0");
  }

  /// The solver of the method that was chosen.
  std::unique_ptr<Solver<T>> make_solver(const SolvedNetwork<T>& solved) const {
    if (const Lbfgs* lbfgs = optimizer.lbfgs()) return make_lbfgs<T>(*lbfgs, solved, rows, options);
    return make_levenberg_marquardt<T>(*optimizer.levenberg_marquardt(), solved, rows, options);
  }

  Network<T>* network;
  const TrainingRows rows;
  const FullBatchOptimizer optimizer;
  const FullBatchOptions options;
  std::unique_ptr<Solver<T>> solver;
  IterationReport report;
  TrainingEnd end = TrainingEnd::none;
};

template <class T>
FullBatchTrainer<T>::FullBatchTrainer(Network<T>& network, const Inputs& x, const Targets& y,
                                      const Losses& losses, const FullBatchOptimizer& optimizer,
                                      const FullBatchOptions& options)
    : state_(new State(network, x, y, losses, optimizer, options)) {}

template <class T>
FullBatchTrainer<T>::FullBatchTrainer(FullBatchTrainer&&) noexcept = default;
template <class T>
FullBatchTrainer<T>& FullBatchTrainer<T>::operator=(FullBatchTrainer&&) noexcept = default;
template <class T>
FullBatchTrainer<T>::~FullBatchTrainer() = default;

// One iteration: whether there was one. outputs: null or rows x outputs, the raw outputs at the new
// parameters
// The network is held for the length of the call, so between two calls it is free. What an
// optimizer remembers, an epoch to go back to and gradients by hand belong to other parameters and
// are dropped.
template <class T>
bool FullBatchTrainer<T>::step(T* outputs, const Poll& poll) {
  State& s = *state_;
  if (s.end != TrainingEnd::none) return false;
  if (!s.solver) s.network->adapt_remaining(s.rows.x);
  auto& net = *s.network->state_;
  const engine::Changing guard(net);
  if (!s.solver) {
    const SolvedNetwork<T> solved{net.graph, net.parameters, net.multiply_adds, net.work_of_row(),
                                  net.occupancy};
    s.solver = s.make_solver(solved);
  }
  net.check_no_overlap(s.rows.x, s.rows.y, outputs, Inputs(s.rows.x).rows(), net.outputs);
  net.forget_passes();
  net.training.kept_epoch = -1;
  net.gradients.valid = false;
  if (!s.solver->iterate(s.report, s.end, outputs, poll)) return false;
  net.optimizer = {};
  ++net.total_steps;
  s.report.epoch = ++net.epochs;
  ++s.report.iteration;
  if (s.end == TrainingEnd::none && s.report.iteration >= s.optimizer.max_iterations())
    s.end = TrainingEnd::max_iterations;
  return true;
}

template <class T>
const IterationReport& FullBatchTrainer<T>::report() const {
  return state_->report;
}

template <class T>
TrainingEnd FullBatchTrainer<T>::end() const {
  return state_->end;
}

template class FullBatchTrainer<float>;
template class FullBatchTrainer<double>;

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
#include "engine/second_order/gauss_newton.hpp"

#include <algorithm>
#include <cmath>

#include "chainrule/error.hpp"
#include "engine/input/gather.hpp"
#include "engine/network_state.hpp"
#include "engine/pieces.hpp"
#include "engine/threads/thread_count.hpp"
#include "kernels/dispatch.hpp"

namespace chainrule {

using engine::Range;
using engine::Step;
using engine::ThreadContext;

namespace {

const kernels::KernelTable<double>& double_kernels() { return kernels::active<double>(); }

/// Columns of all outputs.
std::int64_t columns_of(const Graph& graph) {
  std::int64_t columns = 0;
  for (const std::int64_t output : graph.outputs()) columns += graph.node(output).shape.size();
  return columns;
}

/// Rows of a batch whose tensors do not take too much memory; all, where they do not.
std::int64_t batch_of(const Graph& graph, std::int64_t rows) {
  constexpr std::int64_t most_numbers = 1 << 20;  // of the outputs of all nodes
  std::int64_t numbers = 1;
  for (const Node& node : graph.nodes()) numbers += node.shape.size();
  return std::min(rows, std::max<std::int64_t>(256, most_numbers / numbers));
}

}  // namespace

// The arenas differ in the type and so in the panels: arrays go through their row-major form. A
// first Normalization's mean comes with the digits that T has not.
template <class T>
DoubleParameters::DoubleParameters(const Graph& graph, const engine::Parameters<T>& from)
    : parameters(graph, double_kernels().panel) {
  take(from);
}

template <class T>
void DoubleParameters::take(const engine::Parameters<T>& from) {
  std::vector<T> rows;
  std::vector<double> wide;
  for (std::size_t i = 0; i < from.list().size(); ++i) {
    const engine::Parameter& p = from.list()[i];
    rows.resize(static_cast<std::size_t>(p.spec.shape.size()));
    from.unpack(p, from.values.data(), rows.data());
    wide.assign(rows.begin(), rows.end());
    const std::vector<double>& exact = from.exact_mean();
    if (!exact.empty() && p.layer == 0 && engine::is_center(p.spec)) wide = exact;
    parameters.pack(parameters.list()[i], wide.data(), parameters.values.data());
  }
}

template <class T>
DoubleParameters::DoubleParameters(const Network<T>& network)
    : parameters(network.graph(), double_kernels().panel) {
  std::vector<T> rows;
  std::vector<double> wide;
  const std::vector<double> exact = network.exact_mean();
  for (const engine::Parameter& p : parameters.list()) {
    rows.resize(static_cast<std::size_t>(p.spec.shape.size()));
    network.get_parameter(p.name, rows.data());
    wide.assign(rows.begin(), rows.end());
    if (!exact.empty() && p.layer == 0 && engine::is_center(p.spec)) wide = exact;
    parameters.pack(p, wide.data(), parameters.values.data());
  }
}

template DoubleParameters::DoubleParameters(const Network<float>&);
template DoubleParameters::DoubleParameters(const Network<double>&);
template DoubleParameters::DoubleParameters(const Graph&, const engine::Parameters<float>&);
template DoubleParameters::DoubleParameters(const Graph&, const engine::Parameters<double>&);
template void DoubleParameters::take(const engine::Parameters<float>&);
template void DoubleParameters::take(const engine::Parameters<double>&);

// The work of a row is taken as outputs x (3 multiply-adds of the network + n^2 / 2) for passes and
// products. A plan of one batch of all rows keeps what the forward pass gave until
// normal_equations.
GaussNewton::GaussNewton(const Graph& graph, engine::Parameters<double>& parameters,
                         double multiply_adds, const TrainingRows& rows, int num_threads,
                         const engine::Occupancy& occupancy)
    : graph_(graph),
      values_(parameters),
      rows_(rows),
      occupancy_(occupancy),
      vector_(parameters),
      outputs_(columns_of(graph)),
      num_threads_(num_threads) {
  const auto n = static_cast<double>(vector_.size());
  const auto passes = static_cast<double>(outputs_);
  work_of_row_ = passes * (3.0 * multiply_adds + 0.5 * n * n) + 1000.0;
  engine::PlanOptions options;
  options.batch_size = batch_of(graph, rows.rows());
  options.threads = engine::threads_for(work_of_row_, options.batch_size, num_threads);
  options.backward = true;
  plan_ = std::make_unique<engine::Plan<double>>(double_kernels(), graph, parameters, options);
  plan_->choose_path(rows.x, InputSparsity::automatic);
  row_sums_.resize(static_cast<std::size_t>(rows.rows()));
  errors_.resize(static_cast<std::size_t>(options.batch_size * outputs_));
  take_targets();
  const std::vector<engine::GradientProduct<double>> products = plan_->gradient_products();
  const bool shares = std::any_of(products.begin(), products.end(),
                                  [](const auto& product) { return product.shares; });
  if (!products.empty() && !shares)
    gram_ = std::make_unique<engine::ProductGram>(double_kernels(), vector_, products, outputs_,
                                                  options.batch_size, rows.rows());
}

// e(r, j) = (z(r, j) - targets_(r, j)) scales_(r, j) with scales_ = sqrt(weight of the output x
// weight of the row / sum of these / columns), so that the sum of all e^2 is the loss
void GaussNewton::take_targets() {
  const std::int64_t rows = rows_.rows();
  targets_.resize(static_cast<std::size_t>(rows * outputs_));
  scales_.resize(targets_.size());
  std::int64_t first = 0;
  for (std::size_t output = 0; output < rows_.y.size(); ++output) {
    const TargetsView& y = rows_.y[output];
    const std::int64_t columns = y.values.columns;
    double total = 0.0;
    for (std::int64_t r = 0; r < rows; ++r) total += y.sample_weights ? y.sample_weights[r] : 1.0;
    for (std::int64_t r = 0; r < rows; ++r) {
      const double weight = y.sample_weights ? y.sample_weights[r] : 1.0;
      const double share = total > 0.0 ? weight / total : 0.0;
      for (std::int64_t j = 0; j < columns; ++j) {
        const auto at = static_cast<std::size_t>(r * outputs_ + first + j);
        targets_[at] = engine::value_at(y.values, r, j);
        scales_[at] = std::sqrt(rows_.weights[output] * share / static_cast<double>(columns));
      }
    }
    first += columns;
  }
}

/// The forward pass of rows [first, first + step.rows), and what is left of it for those that the
/// thread owns: their errors and the sums of their squares; and the outputs, if asked.
void GaussNewton::run_forward(ThreadContext& context, const Step<double>& step, std::int64_t first,
                              double* outputs) {
  engine::Plan<double>& plan = *plan_;
  plan.load(context, step, rows_.x, {nullptr, first});
  plan.forward(context, step);
  const Range rows = step.rows_of(context.slice());
  if (outputs) copy_results(plan, rows, {nullptr, first}, outputs);
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    double sum = 0.0;
    std::int64_t column = 0;
    for (std::size_t output = 0; output < plan.results(); ++output) {
      const engine::Tensor<double>& z = plan.result(output);
      for (std::int64_t j = 0; j < z.columns; ++j, ++column) {
        const auto place = static_cast<std::size_t>((first + i) * outputs_ + column);
        const double error = (z.row(i)[j] - targets_[place]) * scales_[place];
        errors_[static_cast<std::size_t>(i * outputs_ + column)] = error;
        sum += error * error;
      }
    }
    row_sums_[static_cast<std::size_t>(first + i)] = sum;
  }
  context.sync_for(engine::Partition::columns);
}

// sum over rows, in order, of the sum over outputs of e^2; outputs: null or rows x outputs
// Each thread writes the sums of its rows, and they are added up behind the team, so that no share
// of rows among threads shows.
double GaussNewton::sum_of_squares(double* outputs, const Poll& poll) {
  plan_->refresh();
  const auto piece = [&](engine::Team team, std::int64_t begin, std::int64_t end) {
    ThreadContext context(team);
    for (std::int64_t first = begin; first < end; first += plan_->batch_size()) {
      Step<double> step;
      step.rows = std::min(plan_->batch_size(), end - first);
      step.training = true;
      run_forward(context, step, first, outputs);
    }
  };
  engine::run_in_pieces(rows_.rows(), plan_->batch_size(), work_of_row_, plan_->threads(),
                        occupancy_, poll, piece);
  double sum = 0.0;
  for (const double row : row_sums_) sum += row;
  return sum;
}

/// From the forward pass of rows [first, first + step.rows) to what comes back from each output:
/// for each (output, column) a backward pass whose dz is the error's scale in that column and 0
/// elsewhere. Its results are copied before the next one overwrites them, each thread its own rows.
void GaussNewton::run_backward(ThreadContext& context, const Step<double>& step,
                               std::int64_t first) {
  engine::Plan<double>& plan = *plan_;
  const Range rows = step.rows_of(context.slice());
  std::int64_t output = 0;
  for (std::size_t result = 0; result < plan.results(); ++result) {
    for (std::int64_t j = 0; j < plan.result(result).columns; ++j, ++output) {
      for (std::size_t other = 0; other < plan.results(); ++other) {
        const engine::Tensor<double>& dz = plan.result_gradient(other);
        std::fill_n(dz.row(rows.begin), rows.size() * dz.stride, 0.0);
      }
      for (std::int64_t i = rows.begin; i < rows.end; ++i)
        plan.result_gradient(result).row(i)[j] =
            scales_[static_cast<std::size_t>((first + i) * outputs_ + output)];
      context.barrier();
      plan.backward(context, step);
      context.barrier();
      gram_->take(output, rows, errors_.data() + output, outputs_);
    }
  }
  context.barrier();
}

// jj = J^T J, je = J^T e, sums over rows in their order
// For products the batches are gone through once more; a forward pass is left out where the one
// batch of sum_of_squares is still in the plan's tensors.
void GaussNewton::normal_equations(engine::SymmetricMatrix& jj, Vector& je, const Poll& poll) {
  if (!gram_) {
    jacobian(rows_.x).normal_equations(rows_.x, {targets_.data(), scales_.data()}, jj, je, poll);
    return;
  }
  const bool has_forward = plan_->batch_size() == rows_.rows();
  gram_->clear();
  const auto piece = [&](engine::Team team, std::int64_t begin, std::int64_t end) {
    ThreadContext context(team);
    for (std::int64_t first = begin; first < end; first += plan_->batch_size()) {
      Step<double> step;
      step.rows = std::min(plan_->batch_size(), end - first);
      step.training = true;
      if (!has_forward) run_forward(context, step, first, nullptr);
      run_backward(context, step, first);
      gram_->add(context, step.rows);
    }
  };
  engine::run_in_pieces(rows_.rows(), plan_->batch_size(), work_of_row_, plan_->threads(),
                        occupancy_, poll, piece);
  gram_->finish(jj, je);
}

// change = J^T (e' - e) = sum over rows and outputs of scales_^2 (z' - z) dz / dw, by a backward
// pass of each batch
void GaussNewton::change_of_gradient(const double* outputs, Vector& change, const Poll& poll) {
  if (gradients_.size() == 0) gradients_ = engine::Buffer<double>(values_.arena_size());
  plan_->refresh();
  Vector batch(change.size());
  std::fill(change.begin(), change.end(), 0.0);
  const auto piece = [&](engine::Team team, std::int64_t begin, std::int64_t end) {
    ThreadContext context(team);
    engine::Plan<double>& plan = *plan_;
    for (std::int64_t first = begin; first < end; first += plan.batch_size()) {
      Step<double> step;
      step.rows = std::min(plan.batch_size(), end - first);
      step.training = true;
      step.gradients = gradients_.data();
      run_forward(context, step, first, nullptr);
      std::int64_t column = 0;
      for (std::size_t result = 0; result < plan.results(); ++result) {
        const engine::Tensor<double>& z = plan.result(result);
        const engine::Tensor<double>& dz = plan.result_gradient(result);
        const Range rows = step.rows_of(context.slice());
        for (std::int64_t i = rows.begin; i < rows.end; ++i) {
          const std::int64_t place = (first + i) * outputs_ + column;
          for (std::int64_t j = 0; j < z.columns; ++j) {
            const double scale = scales_[static_cast<std::size_t>(place + j)];
            dz.row(i)[j] = scale * scale * (outputs[place + j] - z.row(i)[j]);
          }
        }
        column += z.columns;
      }
      context.barrier();
      plan.backward(context, step);
      context.sync_for(engine::Partition::columns);
      plan.gradients(context, step);
      context.sync_for(engine::Partition::columns);
      if (context.first_thread()) {
        vector_.read(gradients_.data(), batch.data());
        engine::add_multiple(1.0, batch, change);
      }
      context.barrier();
    }
  };
  engine::run_in_pieces(rows_.rows(), plan_->batch_size(), work_of_row_, plan_->threads(),
                        occupancy_, poll, piece);
}

// It has plans and memory of its own, so it is made only where it is needed.
Jacobian& GaussNewton::jacobian(const Inputs& x) {
  if (!jacobian_)
    jacobian_ = std::make_unique<Jacobian>(
        graph_, values_, Jacobian::Settings{outputs_, work_of_row_, num_threads_, occupancy_}, x);
  return *jacobian_;
}

void GaussNewton::row_gradients(const Inputs& x, std::int64_t first, std::int64_t count,
                                double* outputs, engine::Buffer<double>& gradients,
                                std::int64_t stride) {
  jacobian(rows_.x).row_gradients(x, first, count, outputs, gradients, stride);
}

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
// J is worked out some rows at a time, and J^T J is the product that the kernel for weight
// gradients makes of J and J: for one panel of its columns after the other, down to the diagonal.
// The errors are one column more, so that J^T e and e^T e are parts of the same product.
#include "engine/second_order/jacobian.hpp"

#include <algorithm>

#include "engine/pieces.hpp"
#include "engine/threads/thread_count.hpp"
#include "kernels/dispatch.hpp"

namespace chainrule {

using engine::Range;
using engine::Step;
using engine::ThreadContext;

namespace {

/// A team of the calling thread alone, within a larger one.
class Alone {
 public:
  ThreadContext context() { return ThreadContext({0, 1, barrier_}); }

 private:
  engine::Barrier barrier_{1};
};

void clear_result_gradients(const engine::Plan<double>& plan, std::int64_t rows) {
  for (std::size_t result = 0; result < plan.results(); ++result) {
    const engine::Tensor<double>& dz = plan.result_gradient(result);
    std::fill_n(dz.row(0), rows * dz.stride, 0.0);
  }
}

}  // namespace

Jacobian::RowPlan::RowPlan(const Graph& graph, engine::Parameters<double>& parameters,
                           std::int64_t rows)
    : plan(kernels::active<double>(), graph, parameters, {.batch_size = rows, .backward = true}),
      gradients(parameters.arena_size()) {}

void Jacobian::RowPlan::choose_path(const Inputs& x) {
  plan.choose_path(x, InputSparsity::automatic);
  products = plan.gradient_products();
}

// jacobian_: (chunk x outputs) rows of n + 1 numbers, as many as about 1 MiB holds, between 32 and
// 512 but at least one row of the batch, so that the products find them in a cache. Each thread has
// a plan for its share of a chunk, with a panel for its products.
Jacobian::Jacobian(const Graph& graph, engine::Parameters<double>& parameters,
                   const Settings& settings, const Inputs& x)
    : settings_(settings),
      kernels_(kernels::active<double>()),
      vector_(parameters),
      outputs_(settings.outputs),
      products_(vector_.size() + 1) {
  constexpr std::int64_t jacobian_bytes = 1 << 20;
  const std::int64_t errors =
      std::clamp<std::int64_t>(jacobian_bytes / (8 * products_.stride()), 32, 512);
  chunk_ = std::clamp<std::int64_t>(errors / outputs_, 1, x.rows());
  threads_ = engine::threads_for(settings.work_of_row, chunk_, settings.num_threads);
  jacobian_ = engine::Buffer<double>(chunk_ * outputs_ * products_.stride());
  const std::int64_t share = (chunk_ + threads_ - 1) / threads_;
  for (int i = 0; i < threads_; ++i) {
    row_plans_.push_back(std::make_unique<RowPlan>(graph, parameters, share));
    row_plans_.back()->product = engine::Buffer<double>((vector_.size() + 1) * kernels_.panel);
    row_plans_.back()->choose_path(x);
  }
  found_.resize(static_cast<std::size_t>(chunk_ * outputs_));
}

// count rows of x from `row` on -> to.gradients: (count x outputs) x stride, to.outputs: count x
// outputs; by as many rows at a time as the plan takes
void Jacobian::find_rows(RowPlan& own, const Inputs& x, std::int64_t row, std::int64_t count,
                         const JacobianRows& to) const {
  const std::int64_t most = own.products.empty() ? 1 : own.plan.batch_size();
  for (std::int64_t first = 0; first < count; first += most) {
    JacobianRows part = to;
    part.gradients += first * outputs_ * to.stride;
    part.outputs += first * outputs_;
    if (to.scales) part.scales += first * outputs_;
    if (own.products.empty()) {
      find_row(own, x, row + first, part);
    } else {
      find_rows_together(own, x, row + first, std::min(most, count - first), part);
    }
  }
}

// One forward pass of `count` rows, and for each output one backward pass with dz = scale in its
// column: since rows do not mix, row i of what comes back is that of row i alone, and its gradients
// are x(i)^T dy(i).
void Jacobian::find_rows_together(RowPlan& own, const Inputs& x, std::int64_t row,
                                  std::int64_t count, const JacobianRows& to) const {
  engine::Plan<double>& plan = own.plan;
  Alone alone;
  ThreadContext context = alone.context();
  Step<double> step;
  step.rows = count;
  step.training = true;
  plan.load(context, step, x, {nullptr, row});
  plan.forward(context, step);
  std::int64_t output = 0;
  for (std::size_t result = 0; result < plan.results(); ++result) {
    for (std::int64_t j = 0; j < plan.result(result).columns; ++j, ++output) {
      clear_result_gradients(plan, count);
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t at = i * outputs_ + output;
        plan.result_gradient(result).row(i)[j] = to.scales ? to.scales[at] : 1.0;
        to.outputs[at] = plan.result(result).row(i)[j];
      }
      plan.backward(context, step);
      for (const engine::GradientProduct<double>& product : own.products)
        add_product(product, count, to.gradients + output * to.stride, outputs_ * to.stride);
    }
  }
}

// gradients(i, weight) = x(i)^T dy(i), gradients(i, bias) = dy(i), (rows x parameters)
// x: rows x inputs, dy: rows x units. A stage whose parameters an earlier one has too adds to what
// that has written.
void Jacobian::add_product(const engine::GradientProduct<double>& product, std::int64_t count,
                           double* gradients, std::int64_t stride) const {
  const std::int64_t units = product.dy.columns;
  const std::int64_t weight = vector_.first_of(*product.weight);
  const std::int64_t bias = product.bias ? vector_.first_of(*product.bias) : -1;
  for (std::int64_t i = 0; i < count; ++i) {
    const double* const x = product.x.row(i);
    const double* const dy = product.dy.row(i);
    double* to = gradients + i * stride + weight;
    for (std::int64_t k = 0; k < product.x.columns; ++k, to += units) {
      if (product.shares) {
        engine::add_multiple(x[k], dy, to, units);
      } else {
        for (std::int64_t j = 0; j < units; ++j) to[j] = x[k] * dy[j];
      }
    }
    if (bias < 0) continue;
    to = gradients + i * stride + bias;
    for (std::int64_t j = 0; j < units; ++j) to[j] = product.shares ? to[j] + dy[j] : dy[j];
  }
}

// One row of J for each output by the stages' own gradients, for stages that do not give products:
// a backward pass each, whose gradients are copied out of the arena.
void Jacobian::find_row(RowPlan& own, const Inputs& x, std::int64_t row,
                        const JacobianRows& to) const {
  engine::Plan<double>& plan = own.plan;
  Alone alone;
  ThreadContext context = alone.context();
  Step<double> step;
  step.rows = 1;
  step.training = true;
  step.gradients = own.gradients.data();
  plan.load(context, step, x, {nullptr, row});
  plan.forward(context, step);
  std::int64_t output = 0;
  for (std::size_t result = 0; result < plan.results(); ++result) {
    for (std::int64_t j = 0; j < plan.result(result).columns; ++j, ++output) {
      clear_result_gradients(plan, 1);
      plan.result_gradient(result).row(0)[j] = to.scales ? to.scales[output] : 1.0;
      to.outputs[output] = plan.result(result).row(0)[j];
      plan.backward(context, step);
      context.sync_for(engine::Partition::columns);
      plan.gradients(context, step);
      vector_.read(own.gradients.data(), to.gradients + output * to.stride);
    }
  }
}

/// Rows from `row` on as those of J from `place` on, behind each its error.
void Jacobian::fill(RowPlan& own, const Inputs& x, const ScaledErrors& errors, std::int64_t row,
                    std::int64_t count, std::int64_t place) {
  const std::int64_t stride = products_.stride();
  double* const gradients = jacobian_.data() + place * outputs_ * stride;
  double* const outputs = found_.data() + place * outputs_;
  const std::int64_t first = row * outputs_;
  find_rows(own, x, row, count, {gradients, stride, outputs, errors.scales + first});
  for (std::int64_t i = 0; i < count * outputs_; ++i)
    gradients[i * stride + vector_.size()] =
        (outputs[i] - errors.targets[first + i]) * errors.scales[first + i];
}

// products_ += J^T J, panel by panel of its columns, of rows down to the diagonal: (n + 1) x panel,
// from (rows x outputs) x (n + 1). Threads take every count-th panel, since the later ones are
// longer. Each panel is one thread's at a time, and chunks come in the order of the rows, so sums
// have one order.
void Jacobian::add_products(RowPlan& own, engine::ThreadSlice slice, std::int64_t rows) {
  constexpr std::int64_t block = 128;  // rows of J that stay in a cache
  const std::int64_t size = products_.size();
  const std::int64_t stride = products_.stride();
  const kernels::PanelShape shape{size, size, kernels_.panel, kernels::kRowAlignment<double>};
  for (std::int64_t p = slice.index; p < shape.panels(); p += slice.count) {
    const std::int64_t column = p * shape.panel;
    const std::int64_t width = shape.width(p);
    const std::int64_t end = std::min(size, column + width);
    kernels_.weight_gradient({shape, p, 0, end, rows * outputs_, jacobian_.data(), stride,
                              jacobian_.data(), stride, own.product.data(), block, nullptr});
    for (std::int64_t i = 0; i < end; ++i)
      engine::add_multiple(1.0, own.product.data() + i * width, products_.row(i) + column, width);
  }
}

// Each thread fills J with its share of a chunk's rows. All wait before the products, which read
// every row, and behind them, before J is filled anew. The last column of the products is J^T e.
void Jacobian::normal_equations(const Inputs& x, const ScaledErrors& errors,
                                engine::SymmetricMatrix& jj, engine::Vector& je, const Poll& poll) {
  for (const auto& own : row_plans_) own->plan.refresh();
  products_.clear();
  const auto piece = [&](engine::Team team, std::int64_t begin, std::int64_t end) {
    ThreadContext context(team);
    RowPlan& own = *row_plans_[static_cast<std::size_t>(team.index)];
    for (std::int64_t first = begin; first < end; first += chunk_) {
      const std::int64_t count = std::min(chunk_, end - first);
      const Range mine = context.slice().range(count);
      fill(own, x, errors, first + mine.begin, mine.size(), mine.begin);
      context.barrier();
      add_products(own, context.slice(), count);
      context.barrier();
    }
  };
  engine::run_in_pieces(x.rows(), chunk_, settings_.work_of_row, threads_, settings_.occupancy,
                        poll, piece);
  const std::int64_t n = vector_.size();
  for (std::int64_t i = 0; i < n; ++i) {
    std::copy_n(products_.row(i), n, jj.row(i));
    je[static_cast<std::size_t>(i)] = products_.row(i)[n];
  }
}

// gradients(parameter, row x outputs + output) = J transposed, for solves that go by columns;
// outputs: count x outputs. One thread and its plan: the rows are few.
void Jacobian::row_gradients(const Inputs& x, std::int64_t first, std::int64_t count,
                             double* outputs, engine::Buffer<double>& gradients,
                             std::int64_t stride) {
  RowPlan& own = *row_plans_.front();
  own.plan.refresh();
  own.choose_path(x);
  const std::int64_t length = products_.stride();
  engine::run_team(1, [&](engine::Team) {
    for (std::int64_t begin = 0; begin < count; begin += chunk_) {
      const std::int64_t some = std::min(chunk_, count - begin);
      double* const z = outputs + begin * outputs_;
      find_rows(own, x, first + begin, some, {jacobian_.data(), length, z, nullptr});
      for (std::int64_t c = 0; c < some * outputs_; ++c)
        for (std::int64_t i = 0; i < vector_.size(); ++i)
          gradients.data()[i * stride + begin * outputs_ + c] = jacobian_.data()[c * length + i];
    }
  });
}

}  // namespace chainrule

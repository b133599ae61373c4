// SPDX-License-Identifier: Apache-2.0
// Forward over reverse: the passes of a gradient in dual numbers, whose tangents are, from the
// parameters' on, derivatives along a vector v. Those of the gradient are then H v.
#include "chainrule/hessian.hpp"

#include <cmath>
#include <string>
#include <utility>

#include "engine/compiled_loss.hpp"
#include "engine/input/dual_input.hpp"
#include "engine/network_state.hpp"
#include "engine/second_order/lanczos.hpp"
#include "engine/threads/team.hpp"
#include "engine/threads/thread_count.hpp"
#include "kernels/dual_set.hpp"

namespace chainrule {

using kernels::Dual;

// A network of dual numbers with the parameters of another one, and a plan for all rows at once.
struct Hessian::State {
  template <class T>
  State(const Graph& graph, const engine::Parameters<T>& from, const Inputs& x_, const Targets& y_,
        const Losses& losses, int threads)
      : x(x_.begin(), x_.end()),
        y(y_.begin(), y_.end()),
        parameters(graph, kernels::active<double>().panel),
        compiled(::dual_kernels(), graph, parameters, losses,
                 {.batch_size = x_.rows(), .threads = threads, .backward = true, .losses = losses}),
        gradients(parameters.arena_size()) {
    for (const engine::Parameter& p : parameters.list()) {
      if (p.trained) size += p.spec.shape.size();
      take(p, from);
    }
    compiled.prepare(y);
    compiled.begin();
    compiled.plan.choose_path(x, InputSparsity::dense);
  }

  /// Copies the values of a parameter, with the digits that a network of floats keeps besides.
  template <class T>
  void take(const engine::Parameter& p, const engine::Parameters<T>& from) {
    std::vector<T> rows(static_cast<std::size_t>(p.spec.shape.size()));
    from.unpack(from.named(p.name), from.values.data(), rows.data());
    const std::vector<double>& exact = from.exact_mean();
    std::vector<Dual> values(rows.begin(), rows.end());
    if (p.layer == 0 && engine::is_center(p.spec) && exact.size() == rows.size())
      values.assign(exact.begin(), exact.end());
    parameters.pack(p, values.data(), parameters.values.data());
  }

  /// The passes of a gradient, along v, or along nothing where v is null.
  void run(const double* v) {
    std::vector<Dual> rows;
    for (const engine::Parameter& p : parameters.list()) {
      if (!p.trained) continue;
      rows.resize(static_cast<std::size_t>(p.spec.shape.size()));
      parameters.unpack(p, parameters.values.data(), rows.data());
      // Only parameters have tangents to begin with; x and y are constants.
      for (Dual& value : rows) value.tangent = v ? *v++ : 0.0;
      parameters.pack(p, rows.data(), parameters.values.data());
    }
    // Stages that keep copies of the parameters take the tangents over, too.
    compiled.plan.refresh();
    engine::Step<Dual> step;
    step.rows = x[0].rows;
    step.gradients = gradients.data();
    engine::run_team(compiled.plan.threads(), [&](engine::Team team) {
      engine::ThreadContext context(team);
      compiled.plan.load(context, step, x, {});
      compiled.plan.forward(context, step);
      compiled.run(step, context, y, {}, true);
      compiled.plan.backward(context, step);
      context.sync_for(engine::Partition::columns);
      compiled.plan.gradients(context, step);
    });
  }

  /// Values or tangents of the gradients.
  void copy_gradients(double Dual::* part, double* to) const {
    std::vector<Dual> rows;
    for (const engine::Parameter& p : parameters.list()) {
      if (!p.trained) continue;
      rows.resize(static_cast<std::size_t>(p.spec.shape.size()));
      parameters.unpack(p, gradients.data(), rows.data());
      for (const Dual& value : rows) *to++ = value.*part;
    }
  }

  const std::vector<RowsView> x;
  const std::vector<TargetsView> y;
  std::int64_t size = 0;
  engine::Parameters<Dual> parameters;
  CompiledLoss<Dual> compiled;
  engine::Buffer<Dual> gradients;  // an arena of parameters
};

template <class T>
Hessian::Hessian(const Network<T>& network, const Inputs& x, const Targets& y, const Losses& losses,
                 int num_threads) {
  const engine::Reading guard(*network.state_);
  const typename Network<T>::State& s = *network.state_;
  s.check_table(x);
  s.check_targets(x, y, losses);
  constexpr double products = 3.0;  // of a real one
  const int threads = engine::threads_for(products * s.multiply_adds, x.rows(), num_threads);
  state_ = Owned<State>(new State(s.graph, s.parameters, x, y, losses, threads));
}

Hessian::Hessian(Hessian&&) noexcept = default;
Hessian& Hessian::operator=(Hessian&&) noexcept = default;
Hessian::~Hessian() = default;

std::int64_t Hessian::size() const { return state_->size; }

// to: size(), array after array, row-major
void Hessian::gradient(double* to) {
  state_->run(nullptr);
  state_->copy_gradients(&Dual::value, to);
}

// product = H v, (size)
void Hessian::multiply(const double* v, double* product) {
  state_->run(v);
  state_->copy_gradients(&Dual::tangent, product);
}

// to: size x size, row by row as products with unit vectors; then the mean with its transpose.
void Hessian::matrix(double* to, const Callback<void()>& poll) {
  const std::int64_t n = size();
  std::vector<double> unit(static_cast<std::size_t>(n), 0.0);
  for (std::int64_t i = 0; i < n; ++i) {
    if (poll) poll();
    unit[static_cast<std::size_t>(i)] = 1.0;
    multiply(unit.data(), to + i * n);
    unit[static_cast<std::size_t>(i)] = 0.0;
  }
  // Rounding differs between the two halves.
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < i; ++j)
      to[i * n + j] = to[j * n + i] = 0.5 * (to[i * n + j] + to[j * n + i]);
  }
}

HessianEigenvalues Hessian::eigenvalues(const LanczosOptions& options,
                                        const Callback<void()>& poll) {
  return engine::lanczos(
      size(),
      [&](const double* v, double* product) {
        if (poll) poll();
        multiply(v, product);
      },
      options);
}

template Hessian::Hessian(const Network<float>&, const Inputs&, const Targets&, const Losses&, int);
template Hessian::Hessian(const Network<double>&, const Inputs&, const Targets&, const Losses&,
                          int);

}  // namespace chainrule

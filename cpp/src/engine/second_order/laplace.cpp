// SPDX-License-Identifier: Apache-2.0
// The posterior's precision A = beta J^T J + alpha I, beta = 1 / noise^2, and, where they are not
// given, alpha and beta by MacKay's fixed point:
//
//   gamma = n - alpha trace(A^-1),  alpha = gamma / sum w^2,  beta = (N - gamma) / sum e^2
#include "chainrule/laplace.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "chainrule/error.hpp"
#include "chainrule/full_batch.hpp"
#include "engine/multiply_adds.hpp"
#include "engine/second_order/gauss_newton.hpp"
#include "engine/second_order/refusals.hpp"
#include "engine/threads/occupancy.hpp"
#include "kernels/dispatch.hpp"

namespace chainrule {
namespace {

/// Throws Error unless the value is left out, or finite and positive.
void check_positive(const char* name, const std::optional<double>& value) {
  if (value && !(std::isfinite(*value) && *value > 0.0))
    throw Error(std::string(name) + " must be finite and > 0, got " + std::to_string(*value));
}

}  // namespace

// What an approximation keeps: a copy of the network's parameters in double, the rows as views of
// the caller's memory, and the factor of A. Predictions use the plans of `problem`, so they exclude
// each other.
struct Laplace::State {
  template <class T>
  State(const Network<T>& network, const Inputs& x, const TargetsView& y, int num_threads)
      : graph(network.graph()),
        copy(network),
        rows(x, y, Loss{}),
        problem(graph, copy.parameters, engine::multiply_adds(graph), rows, num_threads, occupancy),
        factor(problem.parameters()),
        threads(num_threads) {}

  void find(const LaplaceOptions& options, const Poll& poll);
  bool factorize(const engine::SymmetricMatrix& jj);

  const Graph graph;
  engine::Occupancy occupancy{"the approximation is in use by another thread"};
  DoubleParameters copy;
  TrainingRows rows;
  mutable GaussNewton problem;
  engine::SymmetricMatrix factor;
  int threads;
  double alpha = 1.0;
  double beta = 1.0;
  double effective = 0.0;
  double log_evidence = 0.0;

  void recover() {}
};

// factor = U of beta N J^T J + alpha I. jj: parameters x parameters, of errors whose squares add up
// to their mean, hence N = rows x outputs
bool Laplace::State::factorize(const engine::SymmetricMatrix& jj) {
  factor.copy_from(jj);
  const double weight = beta * static_cast<double>(problem.errors());
  for (std::int64_t i = 0; i < factor.size(); ++i) {
    double* const row = factor.row(i);
    for (std::int64_t j = i; j < factor.size(); ++j) row[j] *= weight;
    row[i] += alpha;
  }
  return factor.factorize(kernels::active<double>(), threads);
}

// J^T J is worked out once, at the parameters given; alpha and beta then follow by the fixed point,
// each iteration a factorization. It ends with the factor of the last ones, and with the evidence:
//   log p = -(beta sum e^2 + alpha sum w^2 + log det A) / 2
//           + n/2 log alpha + N/2 log(beta / 2 pi)
void Laplace::State::find(const LaplaceOptions& options, const Poll& poll) {
  constexpr int most_iterations = 100;
  constexpr double enough = 1e-6;  // change of alpha and beta
  const auto n = static_cast<double>(problem.parameters());
  const auto count = static_cast<double>(problem.errors());
  engine::SymmetricMatrix jj(problem.parameters());
  Vector je(static_cast<std::size_t>(problem.parameters()));
  Vector w(je.size());
  problem.vector().read(copy.parameters.values.data(), w.data());
  const double squares = engine::dot(w, w);
  const double errors = count * problem.sum_of_squares(nullptr, poll);
  problem.normal_equations(jj, je, poll);
  beta = options.noise ? 1.0 / (*options.noise * *options.noise) : count / errors;
  alpha = options.prior_precision.value_or(squares > 0.0 ? n / squares : 1.0);
  if (!std::isfinite(alpha) || !std::isfinite(beta))
    throw Error("the network fits its targets without any error: give noise");
  for (int i = 0; i < most_iterations; ++i) {
    if (!factorize(jj))
      throw Error("the outputs' curvature is not finite, or prior_precision is too small for it");
    effective = n - alpha * factor.inverse_trace();
    const double alpha_before = alpha;
    const double beta_before = beta;
    if (!options.prior_precision && squares > 0.0) alpha = effective / squares;
    if (!options.noise) {
      if (!(count - effective > 0.0))
        throw Error(
            "the network has as many parameters as the data can determine: give noise, or "
            "more rows");
      beta = (count - effective) / errors;
    }
    if (std::fabs(alpha - alpha_before) <= enough * alpha &&
        std::fabs(beta - beta_before) <= enough * beta)
      break;
  }
  if (!factorize(jj)) throw Error("prior_precision is too small for the outputs' curvature");
  double log_determinant = 0.0;
  for (std::int64_t i = 0; i < factor.size(); ++i)
    log_determinant += 2.0 * std::log(factor.row(i)[i]);
  log_evidence = -0.5 * (beta * errors + alpha * squares) + 0.5 * n * std::log(alpha) +
                 0.5 * count * std::log(beta / (2.0 * std::numbers::pi)) - 0.5 * log_determinant;
}

// All is checked before the first pass; the parameters' number too, since A has its square.
template <class T>
Laplace::Laplace(const Network<T>& network, const Inputs& x, const TargetsView& y,
                 const LaplaceOptions& options, const Poll& poll) {
  check_positive("prior_precision", options.prior_precision);
  check_positive("noise", options.noise);
  check_full_batch(network, x, y, Loss{}, "laplace");
  const DoubleParameters copy(network);
  check_least_squares(network.graph(), engine::ParameterVector(copy.parameters), {}, {y},
                      "laplace");
  state_ = Owned(new State(network, x, y, options.num_threads));
  state_->find(options, poll);
}

template Laplace::Laplace(const Network<float>&, const Inputs&, const TargetsView&,
                          const LaplaceOptions&, const Poll&);
template Laplace::Laplace(const Network<double>&, const Inputs&, const TargetsView&,
                          const LaplaceOptions&, const Poll&);
Laplace::Laplace(Laplace&&) noexcept = default;
Laplace& Laplace::operator=(Laplace&&) noexcept = default;
Laplace::~Laplace() = default;

double Laplace::prior_precision() const { return state_->alpha; }
double Laplace::noise() const { return 1.0 / std::sqrt(state_->beta); }
double Laplace::effective_parameters() const { return state_->effective; }
double Laplace::log_evidence() const { return state_->log_evidence; }
std::int64_t Laplace::outputs() const { return state_->problem.outputs(); }

// means, deviations: rows x outputs; deviations may be null. variance(r, o) = 1 / beta + |U^-T g|^2
// with g the gradient of that output: (parameters x columns of a chunk), solved together.
void Laplace::predict(const Inputs& x, double* means, double* deviations, const Poll& poll) const {
  constexpr std::int64_t chunk = 64;  // rows
  State& s = *state_;
  const engine::Changing guard(s);
  std::int64_t columns = 0;
  for (const std::int64_t input : s.graph.inputs()) columns += s.graph.node(input).shape.size();
  std::int64_t given = 0;
  for (const RowsView& input : x) given += input.columns;
  if (x.size() != s.graph.inputs().size() || given != columns)
    throw Error("x has " + std::to_string(given) + " columns; the network expects " +
                std::to_string(columns));
  const std::int64_t outputs = s.problem.outputs();
  const std::int64_t stride = engine::padded<double>(chunk * outputs);
  engine::Buffer<double> gradients(s.problem.parameters() * stride);
  for (std::int64_t first = 0; first < x.rows(); first += chunk) {
    if (poll) poll();
    const std::int64_t count = std::min(chunk, x.rows() - first);
    s.problem.row_gradients(x, first, count, means + first * outputs, gradients, stride);
    if (!deviations) continue;
    s.factor.solve_transposed(gradients.data(), count * outputs, stride);
    for (std::int64_t c = 0; c < count * outputs; ++c) {
      double variance = 1.0 / s.beta;
      for (std::int64_t i = 0; i < s.problem.parameters(); ++i) {
        const double value = gradients.data()[i * stride + c];
        variance += value * value;
      }
      deviations[first * outputs + c] = std::sqrt(variance);
    }
  }
}

}  // namespace chainrule

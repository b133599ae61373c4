// SPDX-License-Identifier: Apache-2.0
// With the errors e, scaled so that their squares' sum is the loss, and penalties l2 sum w^2:
//
//   (J^T J + l2 + damping I) step = -(J^T e + l2 w)
//
// With acceleration (Transtrum & Sethna, 2012, "Improvements to the Levenberg-Marquardt algorithm
// for nonlinear least-squares minimization") that is the velocity v of a curve whose errors change
// by a constant velocity, and the step follows its parabola:
//
//   (J^T J + l2 + damping I) a = -J^T e''     (e'' is the second derivative of e along v)
//   J^T e'' = 2 / h (J^T (e(w + h v) - e(w)) / h - J^T J v)
//   step = v + a / 2
//
// With MacKay's regularisation of n parameters by N errors, SSE = N loss and SSW = sum w^2, the
// objective is beta SSE + alpha SSW, with (Foresee & Hagan, 1997, "Gauss-Newton approximation to
// Bayesian learning")
//
//   gamma = sum of l / (l + alpha) over the eigenvalues l of B = beta N J^T J
//         = n - alpha trace((B + alpha I)^-1)
//   alpha = gamma / (2 SSW),  beta = (N - gamma) / (2 SSE)
//
// These hold at a minimum of the objective. Far from one, errors that are not fitted yet would
// count as noise, alpha grow, and the parameters end at 0, which is a fixed point too. So the
// weights start with little regularisation and are found anew only where a step has hardly lowered
// the objective.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "engine/second_order/gauss_newton.hpp"
#include "engine/second_order/solver.hpp"
#include "kernels/dispatch.hpp"

namespace chainrule {
namespace {

/// Works in double on a copy of the parameters. The network gets the rounded ones after each step,
/// and w_ keeps the digits for as long as nothing else changes the network.
template <class T>
class LevenbergMarquardtSolver final : public Solver<T> {
 public:
  using typename Solver<T>::Poll;

  LevenbergMarquardtSolver(const LevenbergMarquardt& options, const SolvedNetwork<T>& network,
                           const TrainingRows& rows, const FullBatchOptions& run)
      : options_(options),
        network_(network),
        own_vector_(network.parameters),
        copy_(network.graph, network.parameters),
        problem_(network.graph, copy_.parameters, network.multiply_adds, rows, run.num_threads,
                 network.occupancy),
        num_threads_(run.num_threads),
        damping_(options.damping),
        jj_(problem_.parameters()),
        factor_(problem_.parameters()),
        w_(static_cast<std::size_t>(problem_.parameters())),
        step_(w_.size()),
        tried_(w_.size()),
        je_(w_.size()),
        gradient_(w_.size()),
        curvatures_(w_.size()),
        wide_outputs_(static_cast<std::size_t>(problem_.errors())) {
    problem_.vector().add_curvatures(curvatures_);
  }

  /// outputs: null or rows x outputs at the new parameters. Where no step is found, or something is
  /// thrown on the way to one, the copy goes back to the last parameters, and the network has not
  /// changed.
  bool iterate(IterationReport& report, TrainingEnd& end, T* outputs, const Poll& poll) override {
    begin(poll);
    if (end = reached(); end != TrainingEnd::none) return false;
    const double before = value_;
    try {
      if (!step(end, poll)) {
        write(w_);
        return false;
      }
    } catch (...) {
      write(w_);
      throw;
    }
    if (outputs)
      std::transform(wide_outputs_.begin(), wide_outputs_.end(), outputs,
                     [](double z) { return static_cast<T>(z); });
    own_vector_.write(w_.data(), network_.parameters.values.data());
    is_known_ = false;
    look(poll);
    if (options_.bayesian) weigh(value_ > (1.0 - kSettled) * before);
    is_known_ = true;
    report.loss = loss_;
    report.losses.resize(1);
    report.losses[0] = {loss_, 1.0, 1.0};
    report.gradient_norm = std::sqrt(engine::dot(gradient_, gradient_));
    report.damping = damping_;
    report.evaluations = evaluations_;
    if (options_.bayesian) {
      report.effective_parameters = effective_;
      report.alpha = alpha_;
      report.beta = beta_;
    }
    end = reached();
    if (end == TrainingEnd::none && idle_ >= kIdleIterations) end = TrainingEnd::no_progress;
    return true;
  }

 private:
  static constexpr double kIdle = 1e-10;  // changes of the objective that count as none
  static constexpr int kIdleIterations = 5;
  static constexpr double kLeastDamping = 1e-20;
  static constexpr double kSettled = 0.1;      // falls of the objective below which it is weighed
  static constexpr double kFirstDecay = 1e-3;  // alpha at first, of the mean curvature
  static constexpr double kFewest = 1e-8;      // gamma / n that the trace gives exactly enough
  static constexpr double kProbe = 0.1;        // h, of the second derivative
  static constexpr double kLongest = 0.75;     // 2 |a| / |v| where the parabola still holds

  double errors() const { return static_cast<double>(problem_.errors()); }
  double parameters() const { return static_cast<double>(problem_.parameters()); }
  /// What the loss counts in the objective.
  double loss_weight() const { return options_.bayesian ? beta_ * errors() : 1.0; }
  /// What w(i)^2 counts in the objective.
  double decay(std::size_t i) const { return options_.bayesian ? alpha_ : curvatures_[i]; }

  void write(const Vector& w) { problem_.vector().write(w.data(), copy_.parameters.values.data()); }

  /// loss_weight loss + sum over parameters, in order, of decay w^2
  double objective(double loss, const Vector& w) const {
    double penalty = 0.0;
    for (std::size_t i = 0; i < w.size(); ++i) penalty += decay(i) * w[i] * w[i];
    return loss_weight() * loss + penalty;
  }

  /// Begins at the network's parameters, unless they are the rounded ones of the last iteration.
  void begin(const Poll& poll) {
    Vector there(w_.size());
    own_vector_.read(network_.parameters.values.data(), there.data());
    bool same = is_known_;
    for (std::size_t i = 0; same && i < w_.size(); ++i)
      same = there[i] == static_cast<double>(static_cast<T>(w_[i]));
    if (same) return;
    is_known_ = false;
    copy_.take(network_.parameters);
    w_ = there;
    damping_ = options_.damping;
    loss_ = problem_.sum_of_squares(wide_outputs_.data(), poll);
    ++evaluations_;
    if (!std::isfinite(loss_))
      throw Error("the loss of the network as it is, " + std::to_string(loss_) +
                  ", is not finite: give inputs of unit scale, or smaller weights");
    problem_.normal_equations(jj_, je_, poll);
    if (options_.bayesian) set_first_weights();
    value_ = objective(loss_, w_);
    find_gradient();
    is_known_ = true;
  }

  /// The normal equations and the gradient at w_.
  void look(const Poll& poll) {
    problem_.normal_equations(jj_, je_, poll);
    find_gradient();
  }
  /// gradient_ = 2 (loss_weight J^T e + decay w)
  void find_gradient() {
    for (std::size_t i = 0; i < w_.size(); ++i)
      gradient_[i] = 2.0 * (loss_weight() * je_[i] + decay(i) * w_[i]);
  }

  /// Whether the present point ends the training.
  TrainingEnd reached() const {
    if (loss_ <= options_.goal) return TrainingEnd::goal;
    const double norm = std::sqrt(engine::dot(gradient_, gradient_));
    return norm <= options_.tolerance ? TrainingEnd::gradient : TrainingEnd::none;
  }

  /// The factor U of the objective's curvature with `more` on its diagonal, and U^-T b; false where
  /// it has none.
  bool factorize(double more, double* b = nullptr) {
    const double weight = loss_weight();
    for (std::int64_t i = 0; i < factor_.size(); ++i) {
      const double* const from = jj_.row(i);
      double* const row = factor_.row(i);
      for (std::int64_t j = i; j < factor_.size(); ++j) row[j] = weight * from[j];
      row[i] += decay(static_cast<std::size_t>(i)) + more;
    }
    return factor_.factorize(kernels::active<double>(), num_threads_, b);
  }

  /// Moves w_ by -(curvature + damping I)^-1 gradient / 2 to parameters of a smaller objective.
  /// Damping grows until a step lowers the objective, and then falls for the next one; with
  /// acceleration it grows faster and faster, and falls by less where the linear model of the
  /// errors has predicted too much (Nielsen, 1999). A step that gives NaN counts as none. False,
  /// with the reason in `end`, where no damping that is allowed does it.
  bool step(TrainingEnd& end, const Poll& poll) {
    const double growth = options_.acceleration ? 2.0 : 1.0;  // of the increase
    double increase = options_.increase;
    for (; damping_ <= options_.max_damping; damping_ *= increase, increase *= growth) {
      step_ = gradient_;
      if (!factorize(damping_, step_.data())) continue;
      factor_.solve(step_.data());
      for (double& value : step_) value *= -0.5;
      const double predicted =
          damping_ * engine::dot(step_, step_) - 0.5 * engine::dot(gradient_, step_);
      if (options_.acceleration) accelerate(poll);
      for (std::size_t i = 0; i < w_.size(); ++i) tried_[i] = w_[i] + step_[i];
      write(tried_);
      const double loss = problem_.sum_of_squares(wide_outputs_.data(), poll);
      ++evaluations_;
      const double value = objective(loss, tried_);
      if (!(value < value_)) continue;
      const double gain = 2.0 * (value_ - value) / predicted - 1.0;  // 1: all that was predicted
      const double least = options_.acceleration ? 1.0 - gain * gain * gain : 0.0;
      idle_ = value_ - value <= kIdle * std::fabs(value_) ? idle_ + 1 : 0;
      value_ = value;
      loss_ = loss;
      w_ = tried_;
      damping_ = std::max(damping_ * std::max(options_.decrease, least), kLeastDamping);
      return true;
    }
    end = TrainingEnd::damping;
    return false;
  }

  /// Adds a / 2 to the velocity in step_, unless it is so long that the parabola does not hold.
  /// What J^T J v is follows from the equations that v solves.
  void accelerate(const Poll& poll) {
    for (std::size_t i = 0; i < w_.size(); ++i) tried_[i] = w_[i] + kProbe * step_[i];
    write(tried_);
    (void)problem_.sum_of_squares(wide_outputs_.data(), poll);
    ++evaluations_;
    write(w_);
    Vector& bend = tried_;
    problem_.change_of_gradient(wide_outputs_.data(), bend, poll);
    for (std::size_t i = 0; i < w_.size(); ++i)
      bend[i] = 2.0 / kProbe *
                (loss_weight() * bend[i] / kProbe + 0.5 * gradient_[i] +
                 (decay(i) + damping_) * step_[i]);
    factor_.solve_transposed(bend.data());
    factor_.solve(bend.data());
    if (2.0 * std::sqrt(engine::dot(bend, bend)) <= kLongest * std::sqrt(engine::dot(step_, step_)))
      engine::add_multiple(-0.5, bend, step_);
  }

  /// What the data determine with the present weights of the objective; and these, where it has
  /// settled.
  void weigh(bool settled) {
    effective_ = effective_parameters();
    if (settled) {
      const double squares = engine::dot(w_, w_);
      set_if_positive(alpha_, effective_ / (2.0 * squares));
      set_if_positive(beta_, (errors() - effective_) / (2.0 * errors() * loss_));
    }
    value_ = objective(loss_, w_);
    find_gradient();
  }
  /// beta so that the errors of now are noise, alpha a small part of the mean curvature.
  void set_first_weights() {
    alpha_ = beta_ = 1.0;
    set_if_positive(beta_, 1.0 / (2.0 * loss_));
    set_if_positive(alpha_, kFirstDecay * loss_weight() * trace() / parameters());
  }
  static void set_if_positive(double& weight, double value) {
    if (value > 0.0 && std::isfinite(value)) weight = value;
  }

  /// The trace of J^T J, the sum of its eigenvalues.
  double trace() const {
    double sum = 0.0;
    for (std::int64_t i = 0; i < jj_.size(); ++i) sum += jj_.row(i)[i];
    return sum;
  }
  /// gamma; where alpha is far above all eigenvalues, the sum of l / alpha.
  double effective_parameters() {
    if (!factorize(0.0)) return effective_;
    const double most = std::min(parameters(), errors());
    const double sum = parameters() - alpha_ * factor_.inverse_trace();
    if (sum > kFewest * parameters()) return std::min(sum, most);
    return std::min(loss_weight() * trace() / alpha_, kFewest * parameters());
  }

  const LevenbergMarquardt options_;
  const SolvedNetwork<T> network_;
  const engine::ParameterVector own_vector_;  // of the network's arena, not the copy's
  DoubleParameters copy_;
  GaussNewton problem_;
  const int num_threads_;
  double damping_;
  engine::SymmetricMatrix jj_;
  engine::SymmetricMatrix factor_;
  bool is_known_ = false;  // all that follows belongs to w_
  Vector w_;               // the parameters, of which the network's are the rounded ones
  Vector step_;            // from there
  Vector tried_;
  Vector je_;
  Vector gradient_;      // of the objective
  Vector curvatures_;    // l2 of each parameter
  Vector wide_outputs_;  // of the last evaluation
  double loss_ = 0.0;
  double value_ = 0.0;  // of the objective
  double alpha_ = 0.0;
  double beta_ = 1.0;
  double effective_ = 0.0;  // number of parameters
  std::int64_t evaluations_ = 0;
  int idle_ = 0;  // iterations in a row of no progress
};

}  // namespace

template <class T>
std::unique_ptr<Solver<T>> make_levenberg_marquardt(const LevenbergMarquardt& options,
                                                    const SolvedNetwork<T>& network,
                                                    const TrainingRows& rows,
                                                    const FullBatchOptions& run) {
  return std::make_unique<LevenbergMarquardtSolver<T>>(options, network, rows, run);
}

template std::unique_ptr<Solver<float>> make_levenberg_marquardt(const LevenbergMarquardt&,
                                                                 const SolvedNetwork<float>&,
                                                                 const TrainingRows&,
                                                                 const FullBatchOptions&);
template std::unique_ptr<Solver<double>> make_levenberg_marquardt(const LevenbergMarquardt&,
                                                                  const SolvedNetwork<double>&,
                                                                  const TrainingRows&,
                                                                  const FullBatchOptions&);

}  // namespace chainrule

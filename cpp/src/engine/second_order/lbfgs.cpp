// SPDX-License-Identifier: Apache-2.0
// From the last changes s of the parameters and y of the gradient follows the direction, newest
// first and then oldest first (Nocedal & Wright, algorithm 7.4):
//
//   q = gradient;  a = (s . q) / (s . y);  q = q - a y
//   r = q (s . y) / (y . y) of the newest;  b = (y . r) / (s . y);  r = r + (a - b) s
//   direction = -r
//
// The parameters are always numbers of the network's type: s is what they changed by, rounding
// included, which is what y belongs to.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "chainrule/error.hpp"
#include "engine/second_order/full_batch_loss.hpp"
#include "engine/second_order/line_search.hpp"
#include "engine/second_order/solver.hpp"

namespace chainrule {
namespace {

using engine::LinePoint;
using engine::LineSearchResult;

/// The last changes, in a ring.
class Changes {
 public:
  explicit Changes(std::int64_t memory)
      : ring_(static_cast<std::size_t>(memory)), factors_(ring_.size()) {}

  bool empty() const { return count_ == 0; }
  void clear() { count_ = 0; }

  /// Takes a pair, and leaves memory in its place, unless its curvature is not positive.
  void add(Vector& s, Vector& y) {
    const double curvature = engine::dot(s, y);
    const double squares = engine::dot(y, y);
    if (!(curvature > std::numeric_limits<double>::epsilon() * squares)) return;
    next_ = count_ == 0 ? 0 : (next_ + 1) % ring_.size();
    Change& change = ring_[next_];
    change.s.swap(s);
    change.y.swap(y);
    change.curvature = curvature;
    change.squares = squares;
    count_ = std::min(count_ + 1, ring_.size());
  }

  /// direction = -r of the two loops above, (parameters). With no changes it is -gradient. The
  /// second loop works on -r, so its signs are the opposite.
  void direct(const Vector& gradient, Vector& direction) {
    direction = gradient;
    for (std::size_t i = 0; i < count_; ++i) {
      const Change& change = newest(i);
      factors_[i] = engine::dot(change.s, direction) / change.curvature;
      engine::add_multiple(-factors_[i], change.y, direction);
    }
    const double scale = count_ > 0 ? newest(0).curvature / newest(0).squares : 1.0;
    for (double& value : direction) value *= -scale;
    for (std::size_t i = count_; i-- > 0;) {
      const Change& change = newest(i);
      const double b = -engine::dot(change.y, direction) / change.curvature;
      engine::add_multiple(b - factors_[i], change.s, direction);
    }
  }

 private:
  struct Change {
    Vector s, y;
    double curvature = 0.0;  // s . y
    double squares = 0.0;    // y . y
  };

  const Change& newest(std::size_t i) const {
    return ring_[(next_ + ring_.size() - i) % ring_.size()];
  }

  std::vector<Change> ring_;
  std::vector<double> factors_;
  std::size_t next_ = 0;  // of the newest
  std::size_t count_ = 0;
};

/// Each iteration is a line search along the direction of the changes so far.
template <class T>
class LbfgsSolver final : public Solver<T> {
 public:
  using typename Solver<T>::Poll;

  LbfgsSolver(const Lbfgs& options, const SolvedNetwork<T>& network, const TrainingRows& rows,
              const FullBatchOptions& run)
      : options_(options),
        loss_(network, rows, run),
        changes_(options.memory),
        w_(static_cast<std::size_t>(loss_.size())),
        gradient_(w_.size()),
        direction_(w_.size()),
        tried_(w_.size()),
        tried_gradient_(w_.size()) {}

  /// outputs: null or rows x outputs at the new parameters. Where nothing is found, or something is
  /// thrown, the network gets back the parameters of before.
  bool iterate(IterationReport& report, TrainingEnd& end, T* outputs, const Poll& poll) override {
    begin(poll);
    if (end = reached(); end != TrainingEnd::none) return false;
    try {
      const LineSearchResult step = search(outputs, poll);
      if (!(step.point.value < value_) && !step.fulfilled) {
        loss_.write_parameters(w_);
        end = TrainingEnd::line_search;
        return false;
      }
      take(step.point);
      report.step_length = step.point.at;
    } catch (...) {
      loss_.write_parameters(w_);
      throw;
    }
    report.loss = loss_.data_loss();
    report.losses = loss_.losses();
    report.gradient_norm = norm_;
    report.evaluations = evaluations_;
    end = reached();
    if (end == TrainingEnd::none && idle_ >= kIdleIterations) end = TrainingEnd::no_progress;
    return true;
  }

 private:
  /// Fractions of a loss that rounding may make of it: of one that is added up of numbers of type
  /// T, and in the decrease that counts as one.
  static constexpr double kPrecision = std::is_same_v<T, float> ? 2e-7 : 1e-15;
  static constexpr double kIdle = std::is_same_v<T, float> ? 1e-8 : 1e-14;
  static constexpr int kIdleIterations = 5;

  /// Begins at the network's parameters, unless they are those that the last iteration left.
  void begin(const Poll& poll) {
    loss_.read_parameters(tried_);
    if (begun_ && tried_ == w_) return;
    begun_ = false;
    w_ = tried_;
    changes_.clear();
    idle_ = 0;
    value_ = evaluate(w_, gradient_, nullptr, poll);
    norm_ = engine::largest_magnitude(gradient_);
    if (!std::isfinite(value_))
      throw Error("the loss of the network as it is, " + std::to_string(value_) +
                  ", is not finite: give inputs of unit scale, or smaller weights");
    begun_ = true;
  }

  /// Whether the present point ends the training.
  TrainingEnd reached() const {
    if (norm_ <= options_.tolerance) return TrainingEnd::gradient;
    if (options_.max_evaluations && evaluations_ >= *options_.max_evaluations)
      return TrainingEnd::max_evaluations;
    return TrainingEnd::none;
  }

  double evaluate(const Vector& w, Vector& gradient, T* outputs, const Poll& poll) {
    ++evaluations_;
    return loss_.evaluate(w, gradient, outputs, poll);
  }

  /// A search, and a second one along the gradient where the first found nothing.
  LineSearchResult search(T* outputs, const Poll& poll) {
    LineSearchResult step = search_once(outputs, poll);
    if (!step.fulfilled && !(step.point.value < value_) && !changes_.empty()) {
      // What the past says of the curvature may not hold here.
      changes_.clear();
      step = search_once(outputs, poll);
    }
    // What comes behind this reads the last evaluation.
    if (!step.is_last && step.point.at > 0.0) evaluate_at(step.point.at, outputs, poll);
    return step;
  }

  /// A search along the direction of the changes; where it does not descend, along the gradient.
  /// The first step tried is 1, Newton's, or without changes one that moves the parameters by at
  /// most 1 in all.
  LineSearchResult search_once(T* outputs, const Poll& poll) {
    changes_.direct(gradient_, direction_);
    double slope = engine::dot(gradient_, direction_);
    if (!(slope < 0.0)) {
      changes_.clear();
      changes_.direct(gradient_, direction_);
      slope = engine::dot(gradient_, direction_);
    }
    const double first =
        changes_.empty() ? std::min(1.0, 1.0 / engine::sum_of_magnitudes(gradient_)) : 1.0;
    engine::LineSearchOptions options;
    options.precision = kPrecision;
    if (options_.max_evaluations)
      options.most_evaluations = static_cast<int>(std::clamp<std::int64_t>(
          *options_.max_evaluations - evaluations_, 1, options.most_evaluations));
    return engine::search_line({0.0, value_, slope}, first, options,
                               [&](double at) { return evaluate_at(at, outputs, poll); });
  }

  /// The loss at w_ + at direction_, rounded to numbers of T, which become the network's.
  LinePoint evaluate_at(double at, T* outputs, const Poll& poll) {
    tried_ = w_;
    engine::add_multiple(at, direction_, tried_);
    for (double& value : tried_) value = static_cast<double>(static_cast<T>(value));
    loss_.write_parameters(tried_);
    const double value = evaluate(tried_, tried_gradient_, outputs, poll);
    return {at, value, engine::dot(tried_gradient_, direction_)};
  }

  /// Moves to the point that was evaluated last.
  void take(const LinePoint& point) {
    const double decrease = value_ - point.value;
    idle_ = decrease <= kIdle * std::fabs(value_) ? idle_ + 1 : 0;
    value_ = point.value;
    // w_ and gradient_ become the changes, and then what was tried.
    for (std::size_t i = 0; i < w_.size(); ++i) {
      w_[i] = tried_[i] - w_[i];
      gradient_[i] = tried_gradient_[i] - gradient_[i];
    }
    changes_.add(w_, gradient_);
    w_ = tried_;
    gradient_ = tried_gradient_;
    norm_ = engine::largest_magnitude(gradient_);
  }

  const Lbfgs options_;
  FullBatchLoss<T> loss_;
  Changes changes_;
  bool begun_ = false;
  Vector w_;          // the network's parameters
  Vector gradient_;   // there
  Vector direction_;  // of the step
  Vector tried_, tried_gradient_;
  double value_ = 0.0;  // of the loss with penalties at w_
  double norm_ = 0.0;   // the largest entry of the gradient
  std::int64_t evaluations_ = 0;
  int idle_ = 0;  // iterations in a row of no progress
};

}  // namespace

template <class T>
std::unique_ptr<Solver<T>> make_lbfgs(const Lbfgs& options, const SolvedNetwork<T>& network,
                                      const TrainingRows& rows, const FullBatchOptions& run) {
  return std::make_unique<LbfgsSolver<T>>(options, network, rows, run);
}

template std::unique_ptr<Solver<float>> make_lbfgs(const Lbfgs&, const SolvedNetwork<float>&,
                                                   const TrainingRows&, const FullBatchOptions&);
template std::unique_ptr<Solver<double>> make_lbfgs(const Lbfgs&, const SolvedNetwork<double>&,
                                                    const TrainingRows&, const FullBatchOptions&);

}  // namespace chainrule

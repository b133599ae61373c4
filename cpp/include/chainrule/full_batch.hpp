// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "chainrule/callback.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/data.hpp"
#include "chainrule/export.h"
#include "chainrule/loss.hpp"
#include "chainrule/network.hpp"
#include "chainrule/one_of.hpp"
#include "chainrule/owned.hpp"

namespace chainrule {

struct Config;

/// L-BFGS: quasi-Newton steps of the last `memory` changes of the gradient (Nocedal & Wright,
/// "Numerical Optimization", 2006, algorithms 7.4 and 7.5), each of a length that fulfils the
/// strong Wolfe conditions (algorithms 3.5 and 3.6).
struct Lbfgs {
  std::int64_t memory = 10;
  std::int64_t max_iterations = 200;
  double tolerance = 1e-5;  // ends where no entry of the gradient is greater
  std::optional<std::int64_t> max_evaluations = {};  // of loss and gradient

  bool operator==(const Lbfgs&) const = default;
};

/// Levenberg and Marquardt's steps for the loss mse: (J^T J + damping I) step = -J^T e, of the
/// Jacobian J of the errors e. A step that makes the loss smaller multiplies the damping by
/// `decrease`; one that does not is taken back and multiplies it by `increase` (Hagan & Menhaj,
/// 1994). Works in double; for at most kMostParameters parameters, since it solves a system of as
/// many equations in each iteration.
struct LevenbergMarquardt {
  static constexpr std::int64_t kMostParameters = 5000;

  double damping = 1e-3;
  double decrease = 0.3;
  double increase = 3.0;
  double max_damping = 1e10;  // ends where it would be greater
  std::int64_t max_iterations = 200;
  double tolerance = 1e-7;  // ends where the gradient's 2-norm is not greater
  double goal = 0.0;        // ends where the loss is not greater
  /// Steps along a parabola instead of a line (Transtrum & Sethna, 2012, "geodesic acceleration"),
  /// and damping by how well the step before was predicted (Nielsen, 1999).
  bool acceleration = false;
  /// MacKay's regularisation: the loss beside alpha times the sum of the squared parameters, with
  /// both weights by the evidence for them in each iteration (Foresee & Hagan, 1997).
  bool bayesian = false;

  bool operator==(const LevenbergMarquardt&) const = default;
};

/// A training that takes all rows at once, with its options.
class CHAINRULE_API FullBatchOptimizer {
 public:
  FullBatchOptimizer() = default;
  FullBatchOptimizer(const Lbfgs& options) : options_(options) {}
  FullBatchOptimizer(const LevenbergMarquardt& options) : options_(options) {}

  /// Null if it is the other one.
  const Lbfgs* lbfgs() const { return options_.get_if<Lbfgs>(); }
  const LevenbergMarquardt* levenberg_marquardt() const {
    return options_.get_if<LevenbergMarquardt>();
  }
  std::int64_t max_iterations() const;
  void set_max_iterations(std::int64_t iterations);

  static FullBatchOptimizer from_config(const Config& config);
  Config config() const;
  static std::vector<std::string> kinds();

  /// Throws Error when an option is out of its range.
  void check() const;

  bool operator==(const FullBatchOptimizer&) const = default;

 private:
  OneOf<Lbfgs, LevenbergMarquardt> options_;
};

/// Why a full-batch training ended.
enum class TrainingEnd {
  none,             // it has not
  gradient,         // the gradient is within the tolerance
  goal,             // the loss is
  no_progress,      // the loss has not changed by more than rounding for some iterations
  line_search,      // no step along the gradient makes the loss smaller
  damping,          // nor does any, however small
  max_iterations,   //
  max_evaluations,  //
};

/// A sentence about it.
CHAINRULE_API std::string describe(TrainingEnd end);

/// What an iteration gave, all at the weights behind it.
struct IterationReport {
  std::int64_t epoch = 0;             // of the network: an iteration is one
  std::int64_t iteration = 0;         // of this training, counted from 1
  double loss = 0.0;                  // weighted mean over all rows, without penalties
  LossSums losses;                    // what that is the mean of, for each output
  double gradient_norm = 0.0;         // largest entry; of Levenberg and Marquardt the 2-norm
  double step_length = 0.0;           // of L-BFGS, as a multiple of the quasi-Newton step
  std::int64_t evaluations = 0;       // of the loss, in this training so far
  double damping = 0.0;               // of Levenberg and Marquardt, for the next iteration
  double effective_parameters = 0.0;  // that the data determine, where it is bayesian
  double alpha = 0.0;  // there: weights of the squared parameters' sum and of the squared errors'
  double beta = 0.0;
};

/// How a full-batch training runs.
struct FullBatchOptions {
  std::int64_t batch_size = 1024;  // rows worked on at a time
  int num_threads = 0;             // 0: default_num_threads()
  InputSparsity input_sparsity = InputSparsity::automatic;
};

/// Trains a network on all rows at once, one iteration after the other. T is float or double.
///
///     FullBatchTrainer<double> trainer(network, x, y, loss, Lbfgs{.tolerance = 1e-6});
///     while (trainer.step()) std::printf("%g\n", trainer.report().loss);
///     std::puts(describe(trainer.end()).c_str());
///
/// Between iterations the network is free for any use. One thread at a time may use a trainer.
template <class T>
class CHAINRULE_API FullBatchTrainer {
 public:
  /// Called on the calling thread about every 50 ms of an iteration that takes longer; an exception
  /// from it ends the call, with the weights of the iteration before, and is passed on.
  using Poll = Callback<void()>;

  /// For a network and data that outlive the trainer and stay in their place. Throws Error for what
  /// does not fit, and for layers whose outputs are not a function of their row and the weights
  /// alone (Dropout, GaussianNoise, BatchNormalization unless it is not trained).
  FullBatchTrainer(Network<T>& network, const Inputs& x, const Targets& y, const Losses& losses,
                   const FullBatchOptimizer& optimizer, const FullBatchOptions& options = {});
  FullBatchTrainer(FullBatchTrainer&&) noexcept;
  FullBatchTrainer& operator=(FullBatchTrainer&&) noexcept;
  ~FullBatchTrainer();

  /// The next iteration, if the training has not ended: whether there was one. The network counts
  /// it as an epoch and a step. `outputs` get the raw outputs behind it, rows x outputs().
  bool step(T* outputs = nullptr, const Poll& poll = {});
  const IterationReport& report() const;
  TrainingEnd end() const;

 private:
  struct CHAINRULE_HIDDEN State;
  Owned<State> state_;
};

extern template class FullBatchTrainer<float>;
extern template class FullBatchTrainer<double>;

}  // namespace chainrule

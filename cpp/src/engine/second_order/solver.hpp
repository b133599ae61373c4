// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "chainrule/callback.hpp"
#include "chainrule/full_batch.hpp"
#include "engine/second_order/full_batch_loss.hpp"

namespace chainrule {

/// A method that changes all parameters of a network at once, iteration after iteration.
template <class T>
class Solver {
 public:
  using Poll = Callback<void()>;

  virtual ~Solver() = default;

  /// Makes an iteration, if there is one to make: whether there was. What ends the training goes
  /// into `end`, with or without. Where something is thrown, the parameters are those of before.
  virtual bool iterate(IterationReport& report, TrainingEnd& end, T* outputs, const Poll& poll) = 0;
};

/// The solvers of the two methods, for a network that outlives them.
template <class T>
std::unique_ptr<Solver<T>> make_lbfgs(const Lbfgs& options, const SolvedNetwork<T>& network,
                                      const TrainingRows& rows, const FullBatchOptions& run);
template <class T>
std::unique_ptr<Solver<T>> make_levenberg_marquardt(const LevenbergMarquardt& options,
                                                    const SolvedNetwork<T>& network,
                                                    const TrainingRows& rows,
                                                    const FullBatchOptions& run);

}  // namespace chainrule

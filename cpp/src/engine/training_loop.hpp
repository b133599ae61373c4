// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engine/input/row_order.hpp"
#include "engine/trainer_state.hpp"

namespace chainrule {

/// One call of Trainer::fit.
template <class T>
class Trainer<T>::State::Loop {
 public:
  Loop(State& state, const Inputs& x, const Targets& y, const FitOptions& options);

  std::vector<EpochReport> run();

  // The same in steps, for a caller who sees to it that `end` follows, whatever comes.

  void begin();
  /// Trains for the next epoch, if there is one, and returns whether another may follow.
  bool advance();
  /// Puts back what is to be put back.
  void end();
  std::vector<EpochReport> take_reports() { return std::move(reports_); }

 private:
  // What the steps above are made of, in the order in which an epoch comes to them.
  bool adapt() const;
  bool run_epoch();
  EpochResult run_batches();
  bool after_batch(const BatchReport& batch);
  void read_schedules(std::int64_t first_batch, std::int64_t next_step);
  bool is_over() const { return batch_options_.first_batch == batches(); }
  std::int64_t batches() const { return static_cast<std::int64_t>(rates_.size()); }
  void complete(EpochReport& report, const LossSums& losses);
  double evaluate(LossSums* sums) const;
  /// What early stopping and a plateau watch: a caller's measure, or a loss of the epoch.
  double value(const std::string& name, const EpochReport& report) const;
  void observe(const EpochReport& report);
  bool is_finite(const void* outputs, std::int64_t rows) const;
  [[noreturn]] void diverge(const Inputs& x, const ReadRows& read,
                            std::span<const std::int64_t> rows, const char* what, double value,
                            std::int64_t epoch);

  State& s_;
  const Inputs x_;
  const Targets y_;
  const FitOptions& o_;
  const engine::RowList rows_;
  EpochOptions batch_options_;
  std::vector<double> rates_;  // of the steps of an epoch
  std::vector<EpochReport> reports_;
  // begun_epochs_ counts those of this call. steps_before_ tells at its end whether it trained.
  std::int64_t begun_epochs_ = 0;
  std::int64_t steps_before_ = 0;
  bool adapted_ = false;
  bool goes_on_ = false;
};

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/trainer_state.hpp"

namespace chainrule {

/// One call of Trainer::fit.
template <class T>
class Trainer<T>::State::Loop {
 public:
  Loop(State& state, const Inputs& x, const Targets& y, const FitOptions& options);

  std::vector<EpochReport> run();

 private:
  void run_epochs();
  bool adapt() const;
  bool run_epoch();
  EpochResult run_batches();
  bool after_batch(const BatchReport& batch);
  void read_schedules(std::int64_t first_batch, std::int64_t next_step);
  bool is_over() const { return batch_options_.first_batch == batches(); }
  std::int64_t batches() const { return static_cast<std::int64_t>(rates_.size()); }
  void complete(EpochReport& report, const LossSums& losses);
  double evaluate(LossSums* sums) const;
  double value(const std::string& name, const EpochReport& report) const;
  void observe(const EpochReport& report);
  bool is_finite(const void* outputs, std::int64_t rows) const;
  [[noreturn]] void diverge(const Inputs& x, const ReadRows& read, const char* what, double value,
                            std::int64_t epoch);

  State& s_;
  const Inputs x_;
  const Targets y_;
  const FitOptions& o_;
  EpochOptions batch_options_;
  std::vector<double> rates_;  // of the steps of an epoch
  std::vector<EpochReport> reports_;
};

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"

namespace chainrule {

struct Config;

/// Ends a training when a value has not improved for some epochs.
struct CHAINRULE_API EarlyStopping {
  enum class Mode { automatic, min, max };

  std::string monitor = "val_loss";  // or "loss", of EpochReport
  double min_delta = 0.0;            // a change has to be greater than this to be an improvement
  std::int64_t patience = 5;         // stop at this many epochs without one in a row; 0 acts as 1
  Mode mode = Mode::automatic;       // which values are better; automatic: smaller ones
  bool restore_best_weights = true;  // at the end of the training, however it came

  static EarlyStopping from_config(const Config& config);
  Config config() const;

  /// Throws Error when an option is out of its range.
  void check() const;

  bool operator==(const EarlyStopping&) const = default;
};

/// What early stopping remembers of the epochs that it has seen.
struct CHAINRULE_API EarlyStoppingMemory {
  double best = 0.0;
  std::int64_t best_epoch = 0;     // 0: no value yet that is a number
  std::int64_t waited = 0;         // epochs since then
  std::int64_t stopped_epoch = 0;  // after which it ended the training; 0: it has not

  /// Takes an epoch's value; whether it is the best so far. NaN never is.
  bool observe(const EarlyStopping& rule, std::int64_t epoch, double value);
};

}  // namespace chainrule

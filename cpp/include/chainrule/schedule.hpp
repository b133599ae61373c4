// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"

namespace chainrule {

struct Config;

/// The learning rate as a function of the step. Lengths are in epochs and may be fractional.
///
/// With t the epochs done so far (fractional within an epoch) and r the learning_rate:
///
///     constant           r
///     step               r gamma^floor(t / period)
///     exponential        r gamma^(t / period)
///     inverse_time       r / (1 + gamma t / period)
///     piecewise          values[number of boundaries <= t]
///     cosine             minimum + (r - minimum) (1 + cos(pi u / U)) / 2, with u of U the place in
///                        the cycle; a rise over the warm-up before it, (s + 1) / (S + 1) of r in
///                        step s of S; afterwards the minimum, or with restart_factor > 0 a new
///                        cycle restart_factor times as long (Loshchilov & Hutter, "SGDR", 2017)
///     one_cycle          half a cosine from r / div_factor up to r over the first `warmup` of the
///                        steps, another down to r / (div_factor final_div_factor) at the last step
///                        (Smith & Topin, "Super-convergence", 2019)
///     coslog             r (1 - cos(2 pi log2(1 + (2^cycles - 1) t / epochs))) / 2: waves from 0
///     to
///                        r and back, each about twice as long as the one before
///     flat_cosine        r over the first half of the epochs, half a cosine down to 0 over the
///                        second
///     reduce_on_plateau  see Plateau
///
/// coslog and flat_cosine are 0 afterwards. Reference: Holzmuller, Grinsztajn & Steinwart, "Better
/// by default: strong pre-tuned MLPs and boosted trees on tabular data", NeurIPS 2024.
///
/// They agree with torch.optim.lr_scheduler's StepLR, ExponentialLR, CosineAnnealingLR,
/// CosineAnnealingWarmRestarts and OneCycleLR wherever those are defined.
struct CHAINRULE_API Schedule {
  enum class Kind {
    constant,
    step,
    exponential,
    cosine,
    one_cycle,
    inverse_time,
    piecewise,
    reduce_on_plateau,
    coslog,
    flat_cosine
  };

  Kind kind = Kind::constant;
  double learning_rate = 1e-2;  // all but piecewise: the start; one_cycle: the maximum
  double gamma = 0.1;    // step, exponential: factor per `period`; reduce_on_plateau: factor, in
                         // (0, 1); inverse_time: decay rate (1)
  double period = 1.0;   // step, exponential, inverse_time: epochs per decay
  double epochs = 0.0;   // cosine: the first cycle, warm-up not counted; else: in total
  double warmup = 0.0;   // cosine: epochs of rise; one_cycle: fraction of rising steps (0.3)
  double minimum = 0.0;  // cosine, reduce_on_plateau: floor
  double restart_factor = 0.0;     // cosine: 0 (no restarts) or >= 1
  double div_factor = 25.0;        // one_cycle
  double final_div_factor = 1e4;   // one_cycle
  std::vector<double> boundaries;  // piecewise: epochs at which the next value begins, increasing
  std::vector<double> values;      // piecewise: one more than boundaries
  std::int64_t patience = 10;      // reduce_on_plateau: epochs without improvement that are borne
  double threshold = 1e-4;         // reduce_on_plateau: relative improvement that counts, in [0, 1)
  std::int64_t cooldown = 0;       // reduce_on_plateau: epochs not counted after a reduction
  std::int64_t cycles = 4;         // coslog: waves, in 1..50

  /// `kind` with its default options; all that have `epochs` still need them, piecewise `values`.
  static Schedule defaults(Kind kind);

  static Schedule from_config(const Config& config);
  Config config() const;
  static std::vector<std::string> kinds();

  /// Throws Error when an option is out of its range.
  void check() const;

  /// The rate of step `step` (counted from 0 over all epochs); a plateau schedule gives its start,
  /// see Plateau.
  double rate(std::int64_t step, std::int64_t steps_per_epoch) const;

  bool operator==(const Schedule&) const = default;
};

/// The memory of a reduce_on_plateau schedule, PyTorch's ReduceLROnPlateau with
/// threshold_mode="rel".
struct CHAINRULE_API Plateau {
  double rate = 0.0;
  double best = std::numeric_limits<double>::infinity();
  std::int64_t bad_epochs = 0;
  std::int64_t cooldown_left = 0;

  explicit Plateau(const Schedule& schedule) : rate(schedule.learning_rate) {}

  /// Takes the epoch's monitored value (smaller is better, or with `rises` greater; NaN counts as
  /// no improvement) and gives the rate of the next epoch. `best` of values that rise begins at
  /// -infinity.
  double observe(const Schedule& schedule, double value, bool rises = false);
};

}  // namespace chainrule

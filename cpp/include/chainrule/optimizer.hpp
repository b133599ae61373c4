// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/optimizers.hpp"
#include "chainrule/schedule.hpp"

namespace chainrule {

struct Config;

/// The options of one kind of optimizer: Sgd, Adam, ...
template <class Options>
concept OptimizerOptions = requires(const Options& options) {
  { Options::row.kind } -> std::same_as<const OptimizerKind&>;
  options.learning_rate;
  options.weight_decay;
};

/// What is done to the gradients of any kind.
struct GradientOptions {
  double clip_value = 0.0;  // each gradient entry into [-clip_value, clip_value]; 0: off
  double clip_norm = 0.0;   // all gradients scaled to this global 2-norm at most; 0: off
  /// Leaves the first layer's weights of inputs that are zero in the whole batch alone, with what
  /// is remembered of them, where the formulas would move them by momentum, averages, decay or
  /// penalties: PyTorch's SparseAdam for any kind. Needs a dense layer first, or one behind a
  /// rescaling, and clip_norm 0.
  bool lazy = false;
  /// What weight_decay is times in each step, but for steps by hand: any but reduce_on_plateau. It
  /// begins with EpochOptions::schedule_origin.
  std::optional<Schedule> weight_decay_schedule = {};

  bool operator==(const GradientOptions&) const = default;
};

/// A rule that makes parameter updates of gradients, with PyTorch's formulas (torch.optim) to the
/// letter: one of the kinds of optimizers.hpp with its options, and what all have in common.
///
///     Optimizer sgd = Sgd{.learning_rate = 0.1, .momentum = 0.9};
///     Optimizer adam(Adam{.learning_rate = 1e-3}, {.clip_norm = 1.0});
///
/// Where torch.optim takes one number for two things or another name: beta1 and beta2 are `betas`,
/// rho is RMSprop's `alpha`, initial_accumulator is `initial_accumulator_value`, epsilon is `eps`.
class CHAINRULE_API Optimizer : public GradientOptions {
 public:
  using Kind = OptimizerKind;

  Optimizer() : Optimizer(Sgd{}) {}
  template <OptimizerOptions Options>
  Optimizer(const Options& options, const GradientOptions& gradient = {})
      : GradientOptions(gradient), kind_(Options::row.kind) {
    static_assert(sizeof(Options) <= sizeof(options_) && std::is_trivially_copyable_v<Options>);
    ::new (static_cast<void*>(options_)) Options(options);
  }

  /// `kind` with its default options.
  static Optimizer defaults(Kind kind);

  Kind kind() const { return kind_; }
  const OptimizerRow& row() const;
  /// The options of a kind; throws Error when it is of another one.
  template <OptimizerOptions Options>
  Options& get() {
    if (kind_ != Options::row.kind) throw_not(Options::row.kind);
    return *std::launder(reinterpret_cast<Options*>(options_));
  }
  template <OptimizerOptions Options>
  const Options& get() const {
    if (kind_ != Options::row.kind) throw_not(Options::row.kind);
    return *std::launder(reinterpret_cast<const Options*>(options_));
  }

  // What the options of all kinds have.
  double learning_rate() const;
  void set_learning_rate(double rate);
  double weight_decay() const;
  void set_weight_decay(double decay);

  static Optimizer from_config(const Config& config);
  /// `lazy` and `epsilon_hat` are there only when they are true.
  Config config() const;
  static std::vector<std::string> kinds();

  /// Throws Error when an option is out of its range.
  void check() const;

  /// Names of the arrays it keeps per parameter, PyTorch's state names: "momentum_buffer",
  /// "exp_avg", "exp_avg_sq", ...
  std::vector<std::string> slots() const;
  /// Whether the array of that name holds sums or averages of squares, which are never negative and
  /// infinite where a square was out of range.
  static bool keeps_squares(std::string_view slot);

  bool operator==(const Optimizer& other) const;

 private:
  [[noreturn]] void throw_not(Kind kind) const;

  Kind kind_;
  alignas(double) unsigned char options_[12 * sizeof(double)] = {};
};

}  // namespace chainrule

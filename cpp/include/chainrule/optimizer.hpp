// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"

namespace chainrule {

struct Config;

/// A rule that turns gradients into parameter updates, with PyTorch's formulas (torch.optim) to the
/// letter. Each kind has the options named beside them; learning_rate, weight_decay, clip_value,
/// clip_norm and lazy belong to all.
///
/// Where torch.optim takes one number for two things or another name: beta1 and beta2 are `betas`,
/// rho is RMSprop's `alpha`, initial_accumulator is `initial_accumulator_value`, epsilon is `eps`.
/// Reference for lion, which torch.optim lacks: Chen et al., "Symbolic discovery of optimization
/// algorithms", NeurIPS 2023.
struct CHAINRULE_API Optimizer {
  enum class Kind { sgd, adagrad, rmsprop, adam, adamw, adadelta, lion };

  Kind kind = Kind::sgd;
  double learning_rate = 1e-2;       // adam, adamw 1e-3; adadelta 1; lion 1e-4; else 1e-2
  double momentum = 0.0;             // sgd, rmsprop: in [0, 1)
  double dampening = 0.0;            // sgd: in [0, 1]
  bool nesterov = false;             // sgd: needs momentum > 0 and dampening 0
  bool centered = false;             // rmsprop
  bool amsgrad = false;              // adam, adamw
  double beta1 = 0.9;                // adam, adamw, lion: in [0, 1)
  double beta2 = 0.999;              // adam, adamw; lion: 0.99
  double rho = 0.9;                  // adadelta 0.9, rmsprop 0.99: in [0, 1)
  double epsilon = 1e-8;             // rmsprop, adam, adamw; adagrad: 1e-10; adadelta: 1e-6
  double lr_decay = 0.0;             // adagrad
  double initial_accumulator = 0.0;  // adagrad
  /// Coupled (added to the gradient) but for adamw (default 0.01) and lion, where it is decoupled.
  double weight_decay = 0.0;
  double clip_value = 0.0;  // each gradient entry into [-clip_value, clip_value]; 0: off
  double clip_norm = 0.0;   // all gradients scaled to this global 2-norm at most; 0: off
  /// Leaves the first layer's weights of inputs that are zero in the whole batch alone, with what
  /// is remembered of them, where the formulas would move them by momentum, averages, decay or
  /// penalties: PyTorch's SparseAdam for any kind. Needs a dense layer first, or one behind a
  /// rescaling, and clip_norm 0.
  bool lazy = false;

  /// `kind` with its default options.
  static Optimizer defaults(Kind kind);

  static Optimizer from_config(const Config& config);
  /// `lazy` is there only when it is true.
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

  bool operator==(const Optimizer&) const = default;
};

}  // namespace chainrule

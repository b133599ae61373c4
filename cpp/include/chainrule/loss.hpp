// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/loss_kind.hpp"

namespace chainrule {

struct Config;

/// What training minimises, of raw outputs o and targets t. A row's loss is the mean over its
/// outputs, or for cross_entropy the cross-entropy of the row; the batch's loss is the weighted
/// mean over rows, sum(w_i loss_i) / sum(w_i), which with all weights 1 is PyTorch's
/// reduction="mean".
struct CHAINRULE_API Loss {
  using Kind = LossKind;

  Kind kind = Kind::mse;
  double delta = 1.0;            // huber
  double label_smoothing = 0.0;  // cross_entropy: in [0, 1)
  /// cross_entropy, binary_cross_entropy, poisson: the outputs are logits (for poisson, logarithms
  /// of means), whatever activation gave them. Without it a network must end in outputs that may be
  /// any number, or in the loss's own link, softmax or sigmoid, which the loss takes over.
  bool from_logits = false;
  /// quantile: strictly increasing, default {0.5}. The outputs are one group per quantile, in this
  /// order, each of `target_columns` columns.
  std::vector<double> quantiles;

  /// `kind` with its default options.
  static Loss defaults(Kind kind);

  static Loss from_config(const Config& config);
  Config config() const;
  static std::vector<std::string> kinds();

  /// Throws Error when an option is out of its range.
  void check() const;

  /// What turns raw outputs into predictions: softmax and sigmoid give the probabilities that the
  /// cross-entropies compare, exponential the mean of poisson.
  enum class Link { identity, softmax, sigmoid, exponential };
  Link link() const;

  /// Whether targets may be integer labels, one a row, in the place of target rows.
  bool takes_labels() const { return kind == Kind::cross_entropy; }

  /// Columns a target row has for a network of `outputs` outputs; throws Error when they do not fit
  /// (quantile: not a multiple of the quantiles; cross_entropy: fewer than two classes).
  std::int64_t target_columns(std::int64_t outputs) const;

  bool operator==(const Loss&) const = default;
};

}  // namespace chainrule

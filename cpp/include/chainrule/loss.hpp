// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "chainrule/custom_loss.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/loss_kind.hpp"
#include "chainrule/one_of.hpp"

namespace chainrule {

struct Config;

/// What training minimises, of raw outputs o and targets t. A row's loss is the mean over its
/// outputs, or for cross_entropy the cross-entropy of the row; the batch's loss is the weighted
/// mean over rows, sum(w_i loss_i) / sum(w_i), which with all weights 1 is PyTorch's
/// reduction="mean". Of outputs of several positions, such as (time, classes), each position of
/// each row is such a row.
struct CHAINRULE_API Loss {
  using Kind = LossKind;

  struct NoOptions {
    bool operator==(const NoOptions&) const = default;
  };
  struct Huber {
    double delta = 1.0;  // > 0
    bool operator==(const Huber&) const = default;
  };
  /// from_logits, here and below: the outputs are logits (for poisson, logarithms of means),
  /// whatever activation gave them. Without it a network must end in outputs that may be any
  /// number, or in the loss's own link, softmax or sigmoid, which the loss takes over.
  struct CrossEntropy {
    double label_smoothing = 0.0;  // in [0, 1)
    bool from_logits = false;
    bool operator==(const CrossEntropy&) const = default;
  };
  struct BinaryCrossEntropy {
    bool from_logits = false;
    bool operator==(const BinaryCrossEntropy&) const = default;
  };
  /// The outputs are one group per quantile, in this order, each of `target_columns` columns.
  struct Quantile {
    std::vector<double> quantiles{0.5};  // in (0, 1), strictly increasing
    bool operator==(const Quantile&) const = default;
  };
  struct Poisson {
    bool from_logits = false;
    bool operator==(const Poisson&) const = default;
  };
  using Options =
      OneOf<NoOptions, Huber, CrossEntropy, BinaryCrossEntropy, Quantile, Poisson, CustomLoss>;

  Kind kind = Kind::mse;
  Options options = {};  // those of the kind

  /// `kind` with its default options.
  static Loss defaults(Kind kind);
  /// A function that is a loss, see CustomLoss.
  template <class Function>
  static Loss custom(std::string name, const Function& function) {
    return {Kind::custom, CustomLoss(std::move(name), function)};
  }

  static Loss from_config(const Config& config);
  /// That of a custom loss is for error texts: no loss can be made from it.
  Config config() const;
  static std::vector<std::string> kinds();

  /// Throws Error when an option is out of its range, or the options are those of another kind.
  void check() const;

  /// The option of that name; false for kinds without it.
  bool from_logits() const;

  /// What turns raw outputs into predictions: softmax and sigmoid give the probabilities that the
  /// cross-entropies compare, exponential the mean of poisson.
  enum class Link { identity, softmax, sigmoid, exponential };
  Link link() const;

  /// Whether targets may be integer labels, one a row, in the place of target rows.
  bool takes_labels() const { return kind == Kind::cross_entropy; }
  bool is_custom() const { return kind == Kind::custom; }

  /// Columns a target row has for a network of `outputs` outputs; throws Error when they do not fit
  /// (quantile: not a multiple of the quantiles; cross_entropy: fewer than two classes).
  std::int64_t target_columns(std::int64_t outputs) const;
  /// What a row of outputs of this shape is compared with: at each position so many columns.
  std::int64_t target_columns(const Shape& outputs) const;

  bool operator==(const Loss&) const = default;
};

/// A loss for each output of a network, in the order of its outputs, whose sum by weights is
/// minimised; a Loss stands for that of an only output. Refers to memory of the caller, so it is
/// for arguments alone.
class Losses {
 public:
  Losses() = default;
  Losses(const Loss& loss) : losses_(&loss), size_(1) {}
  /// `weights`: as many, finite and >= 0; none: all 1.
  Losses(const std::vector<Loss>& losses, const std::vector<double>& weights)
      : losses_(losses.data()),
        weights_(weights.empty() ? nullptr : weights.data()),
        size_(losses.size()) {}

  std::size_t size() const { return size_; }
  const Loss& operator[](std::size_t output) const { return losses_[output]; }
  double weight(std::size_t output) const { return weights_ ? weights_[output] : 1.0; }

 private:
  const Loss* losses_ = nullptr;
  const double* weights_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
// The table of optimizers: of each kind the options with their defaults and ranges, and the row of
// what the library knows of it. Plain data without standard headers: the units of the kernels,
// which hold nothing of the standard library, include this file too.
#pragma once

#include "chainrule/cxx20.hpp"

namespace chainrule {

enum class OptimizerKind : int {
  sgd,
  adagrad,
  rmsprop,
  adam,
  adamw,
  adadelta,
  lion,
  nadam,
  radam,
  lamb
};

/// What a step without decay and penalties does to entries whose gradient is zero, and to what is
/// remembered of them.
enum class ZeroGradient {
  updates,
  skips_if_state_zero,  // nothing, where all that is remembered of them is zero
  skips,                // nothing
};

/// What the library knows of a kind without its options.
struct OptimizerRow {
  OptimizerKind kind;
  const char* name;  // in configs, model files and error texts
  ZeroGradient zero_gradient = ZeroGradient::skips_if_state_zero;
  /// Steps need the whole gradient of a matrix at once, not pieces of it.
  bool needs_whole_gradient = false;
};

/// An array that an optimizer keeps per parameter.
struct OptimizerSlot {
  const char* name = nullptr;  // PyTorch's state name
  bool is_kept = true;         // with the present options
  /// Sums or averages of squares, which are never negative and infinite where a square was out of
  /// range.
  bool holds_squares = false;
  double initial = 0.0;
};

constexpr int kMostOptimizerSlots = 6;

struct OptimizerSlots {
  OptimizerSlot list[kMostOptimizerSlots];  // those behind the last have no name

  constexpr int kept() const {
    int count = 0;
    for (const OptimizerSlot& slot : list) count += slot.name != nullptr && slot.is_kept ? 1 : 0;
    return count;
  }
  constexpr int all() const {
    int count = 0;
    for (const OptimizerSlot& slot : list) count += slot.name != nullptr ? 1 : 0;
    return count;
  }
};

/// The numbers that an option may take.
enum class OptionRange { positive, non_negative, fraction, half_open_fraction };

// Each struct below has learning_rate (above 0), weight_decay (at least 0) and options of its own,
// which visit_options lists in the order of configs. With default options the fewest slots are
// kept. Formulas: kernels/optimizers/, one file each.

/// Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML
/// 2013.
struct Sgd {
  double learning_rate = 1e-2;
  double momentum = 0.0;
  double dampening = 0.0;
  bool nesterov = false;  // needs momentum > 0 and dampening 0
  double weight_decay = 0.0;

  static constexpr OptimizerRow row{OptimizerKind::sgd, "sgd"};
  constexpr OptimizerSlots slots() const { return {{{"momentum_buffer", momentum > 0.0}}}; }
  template <class Visit, class Self>
  static void visit_options(Visit& visit, Self& self) {
    visit("momentum", self.momentum, OptionRange::half_open_fraction);
    visit("dampening", self.dampening, OptionRange::fraction);
    visit("nesterov", self.nesterov);
  }
  bool operator==(const Sgd&) const = default;
};

/// Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
/// optimization", JMLR 12, 2011.
struct AdaGrad {
  double learning_rate = 1e-2;
  double lr_decay = 0.0;
  double initial_accumulator = 0.0;
  double epsilon = 1e-10;
  double weight_decay = 0.0;

  static constexpr OptimizerRow row{
      .kind = OptimizerKind::adagrad, .name = "adagrad", .zero_gradient = ZeroGradient::skips};
  constexpr OptimizerSlots slots() const { return {{{"sum", true, true, initial_accumulator}}}; }
  template <class Visit, class Self>
  static void visit_options(Visit& visit, Self& self) {
    visit("lr_decay", self.lr_decay, OptionRange::non_negative);
    visit("initial_accumulator", self.initial_accumulator, OptionRange::non_negative);
    visit("epsilon", self.epsilon, OptionRange::positive);
  }
  bool operator==(const AdaGrad&) const = default;
};

/// Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012; centered:
/// Graves, "Generating sequences with recurrent neural networks", 2013.
struct RmsProp {
  double learning_rate = 1e-2;
  double rho = 0.99;
  double epsilon = 1e-8;
  double momentum = 0.0;
  bool centered = false;
  double weight_decay = 0.0;

  static constexpr OptimizerRow row{OptimizerKind::rmsprop, "rmsprop"};
  constexpr OptimizerSlots slots() const {
    return {
        {{"square_avg", true, true}, {"momentum_buffer", momentum > 0.0}, {"grad_avg", centered}}};
  }
  template <class Visit, class Self>
  static void visit_options(Visit& visit, Self& self) {
    visit("rho", self.rho, OptionRange::half_open_fraction);
    visit("epsilon", self.epsilon, OptionRange::positive);
    visit("momentum", self.momentum, OptionRange::half_open_fraction);
    visit("centered", self.centered);
  }
  bool operator==(const RmsProp&) const = default;
};

/// Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015; amsgrad: Reddi, Kale and
/// Kumar, "On the convergence of Adam and beyond", ICLR 2018.
struct Adam {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  bool amsgrad = false;
  bool epsilon_hat = false;  // epsilon beside the root before its correction, as TensorFlow has it
  double weight_decay = 0.0;

  static constexpr OptimizerRow row{OptimizerKind::adam, "adam"};
  constexpr OptimizerSlots slots() const {
    return {{{"exp_avg"}, {"exp_avg_sq", true, true}, {"max_exp_avg_sq", amsgrad, true}}};
  }
  template <class Visit, class Self>
  static void visit_options(Visit& visit, Self& self) {
    visit("beta1", self.beta1, OptionRange::half_open_fraction);
    visit("beta2", self.beta2, OptionRange::half_open_fraction);
    visit("epsilon", self.epsilon, OptionRange::positive);
    visit("amsgrad", self.amsgrad);
    visit("epsilon_hat", self.epsilon_hat);
  }
  bool operator==(const Adam&) const = default;
};

/// Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019.
struct AdamW {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  bool amsgrad = false;
  bool epsilon_hat = false;
  double weight_decay = 1e-2;  // of the weight itself, not added to its gradient

  static constexpr OptimizerRow row{OptimizerKind::adamw, "adamw"};
  constexpr OptimizerSlots slots() const { return Adam{.amsgrad = amsgrad}.slots(); }
  template <class Visit, class Self>
  static void visit_options(Visit& visit, Self& self) {
    Adam::visit_options(visit, self);
  }
  bool operator==(const AdamW&) const = default;
};

/// Zeiler, "ADADELTA: an adaptive learning rate method", 2012.
struct Adadelta {
  double learning_rate = 1.0;
  double rho = 0.9;
  double epsilon = 1e-6;
  double weight_decay = 0.0;

  static constexpr OptimizerRow row{OptimizerKind::adadelta, "adadelta"};
  constexpr OptimizerSlots slots() const {
    return {{{"square_avg", true, true}, {"acc_delta", true, true}}};
  }
  template <class Visit, class Self>
  static void visit_options(Visit& visit, Self& self) {
    visit("rho", self.rho, OptionRange::half_open_fraction);
    visit("epsilon", self.epsilon, OptionRange::positive);
  }
  bool operator==(const Adadelta&) const = default;
};

/// Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.
struct Lion {
  double learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0.0;  // of the weight itself, not added to its gradient

  static constexpr OptimizerRow row{OptimizerKind::lion, "lion"};
  constexpr OptimizerSlots slots() const { return {{{"exp_avg"}}}; }
  template <class Visit, class Self>
  static void visit_options(Visit& visit, Self& self) {
    visit("beta1", self.beta1, OptionRange::half_open_fraction);
    visit("beta2", self.beta2, OptionRange::half_open_fraction);
  }
  bool operator==(const Lion&) const = default;
};

/// Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop, 2016.
struct NAdam {
  double learning_rate = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double momentum_decay = 4e-3;
  bool decoupled_weight_decay = false;
  double weight_decay = 0.0;

  static constexpr OptimizerRow row{OptimizerKind::nadam, "nadam"};
  constexpr OptimizerSlots slots() const { return Adam().slots(); }
  template <class Visit, class Self>
  static void visit_options(Visit& visit, Self& self) {
    visit("beta1", self.beta1, OptionRange::half_open_fraction);
    visit("beta2", self.beta2, OptionRange::half_open_fraction);
    visit("epsilon", self.epsilon, OptionRange::positive);
    visit("momentum_decay", self.momentum_decay, OptionRange::non_negative);
    visit("decoupled_weight_decay", self.decoupled_weight_decay);
  }
  bool operator==(const NAdam&) const = default;
};

/// Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020.
struct RAdam {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  bool decoupled_weight_decay = false;
  double weight_decay = 0.0;

  static constexpr OptimizerRow row{OptimizerKind::radam, "radam"};
  constexpr OptimizerSlots slots() const { return Adam().slots(); }
  template <class Visit, class Self>
  static void visit_options(Visit& visit, Self& self) {
    visit("beta1", self.beta1, OptionRange::half_open_fraction);
    visit("beta2", self.beta2, OptionRange::half_open_fraction);
    visit("epsilon", self.epsilon, OptionRange::positive);
    visit("decoupled_weight_decay", self.decoupled_weight_decay);
  }
  bool operator==(const RAdam&) const = default;
};

/// You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR
/// 2020.
struct Lamb {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-6;
  double weight_decay = 0.0;  // part of the step whose norm is set, not added to the gradient

  static constexpr OptimizerRow row{
      .kind = OptimizerKind::lamb, .name = "lamb", .needs_whole_gradient = true};
  constexpr OptimizerSlots slots() const { return Adam().slots(); }
  template <class Visit, class Self>
  static void visit_options(Visit& visit, Self& self) {
    visit("beta1", self.beta1, OptionRange::half_open_fraction);
    visit("beta2", self.beta2, OptionRange::half_open_fraction);
    visit("epsilon", self.epsilon, OptionRange::positive);
  }
  bool operator==(const Lamb&) const = default;
};

template <class... Kinds>
struct OptimizerTable {
  static constexpr OptimizerRow rows[sizeof...(Kinds)] = {Kinds::row...};
  static constexpr int size = sizeof...(Kinds);
};

/// Every kind, in the order of OptimizerKind.
using Optimizers =
    OptimizerTable<Sgd, AdaGrad, RmsProp, Adam, AdamW, Adadelta, Lion, NAdam, RAdam, Lamb>;

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "chainrule/activation_kind.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/one_of.hpp"

namespace chainrule {

struct Config;

/// An elementwise (or, for softmax, row-wise) non-linearity.
struct CHAINRULE_API Activation {
  using Kind = ActivationKind;

  struct NoOptions {
    bool operator==(const NoOptions&) const = default;
  };
  struct LeakyRelu {
    double negative_slope = 0.01;  // >= 0
    bool operator==(const LeakyRelu&) const = default;
  };
  struct Elu {
    double alpha = 1.0;  // >= 0
    bool operator==(const Elu&) const = default;
  };
  struct HardSigmoid {
    double alpha = 1.0 / 6.0;  // > 0
    double beta = 0.5;
    bool operator==(const HardSigmoid&) const = default;
  };
  using Options = OneOf<NoOptions, LeakyRelu, Elu, HardSigmoid>;

  Kind kind = Kind::linear;
  Options options = {};  // those of the kind

  /// `kind` with its default options.
  static Activation defaults(Kind kind);

  /// From {"relu"} or {"leaky_relu", negative_slope: 0.1}; {"gelu", approximate: "tanh"} is another
  /// way to write {"gelu_tanh"}. Throws Error for an unknown kind or option (naming the nearest
  /// valid one) and for a bad value.
  static Activation from_config(const Config& config);
  Config config() const;
  static std::vector<std::string> kinds();

  /// Throws Error when an option is out of its range, or the options are those of another kind.
  void check() const;

  bool operator==(const Activation&) const = default;
};

}  // namespace chainrule

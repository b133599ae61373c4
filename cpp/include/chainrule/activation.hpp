// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"

namespace chainrule {

struct Config;

/// An elementwise (or, for softmax, row-wise) non-linearity.
struct CHAINRULE_API Activation {
  enum class Kind {
    linear,
    relu,
    leaky_relu,  // x for x > 0, else negative_slope * x
    elu,         // x for x > 0, else alpha * (exp(x) - 1)
    gelu,        // x * Phi(x), with erf
    gelu_tanh,   // the tanh approximation of gelu
    silu,        // x * sigmoid(x)
    sigmoid,
    tanh,
    softplus,  // log(1 + exp(x))
    softmax,
  };

  Kind kind = Kind::linear;
  double parameter = 0.0;  // leaky_relu: negative_slope (0.01); elu: alpha (1); both >= 0

  /// `kind` with its default options.
  static Activation defaults(Kind kind);

  /// From {"relu"} or {"leaky_relu", negative_slope: 0.1}; {"gelu", approximate: "tanh"} is another
  /// way to write {"gelu_tanh"}. Throws Error for an unknown kind or option (naming the nearest
  /// valid one) and for a bad value.
  static Activation from_config(const Config& config);
  Config config() const;
  static std::vector<std::string> kinds();

  /// Throws Error when an option is out of its range.
  void check() const;

  bool operator==(const Activation&) const = default;
};

}  // namespace chainrule

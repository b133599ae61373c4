// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/activation.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/one_of.hpp"

// The table of initializers, one row each, row(kind, Options):
//   kind     the name in descriptions
//   Options  the alternative of Initializer::Options that holds its options
// clang-format off
#define CHAINRULE_INITIALIZERS(row) \
  row(zeros,          NoOptions) \
  row(constant,       Constant) \
  row(normal,         Normal) \
  row(uniform,        Uniform) \
  row(glorot_uniform, NoOptions) \
  row(glorot_normal,  NoOptions) \
  row(he_uniform,     NoOptions) \
  row(he_normal,      NoOptions) \
  row(lecun_uniform,  NoOptions) \
  row(lecun_normal,   NoOptions) \
  row(orthogonal,     Orthogonal)
// clang-format on

namespace chainrule {

struct Config;

/// How a parameter of shape (rows, columns) = (fan_in, fan_out) gets its first values. An input
/// of a convolution is in the sums of more outputs than columns, see ParameterSpec::fan_out.
///
/// The scaled kinds have mean 0 and the variance in the third column; the uniform ones fill
/// [-sqrt(3 variance), sqrt(3 variance)), the normal ones are not truncated.
///
///     glorot_uniform, glorot_normal   2 / (fan_in + fan_out)   Glorot & Bengio, AISTATS 2010
///     he_uniform, he_normal           2 / fan_in               He et al., ICCV 2015
///     lecun_uniform, lecun_normal     1 / fan_in               LeCun et al., "Efficient BackProp",
///                                                              1998
///     orthogonal                      gain times a matrix with orthonormal rows or columns,
///                                     whichever are fewer, drawn uniformly; Saxe et al., ICLR 2014
struct CHAINRULE_API Initializer {
#define CHAINRULE_ROW(kind, ...) kind,
  enum class Kind { CHAINRULE_INITIALIZERS(CHAINRULE_ROW) };
#undef CHAINRULE_ROW

  struct NoOptions {
    bool operator==(const NoOptions&) const = default;
  };
  struct Constant {
    double value = 0.0;
    bool operator==(const Constant&) const = default;
  };
  struct Normal {
    double mean = 0.0;
    double standard_deviation = 0.05;  // >= 0
    bool operator==(const Normal&) const = default;
  };
  struct Uniform {
    double low = -0.05;  // <= high
    double high = 0.05;
    bool operator==(const Uniform&) const = default;
  };
  struct Orthogonal {
    double gain = 1.0;
    bool operator==(const Orthogonal&) const = default;
  };
  using Options = OneOf<NoOptions, Constant, Normal, Uniform, Orthogonal>;

  Kind kind = Kind::zeros;
  Options options = {};  // those of the kind

  /// `kind` with its default options.
  static Initializer defaults(Kind kind);

  static Initializer from_config(const Config& config);
  Config config() const;
  static std::vector<std::string> kinds();

  /// The usual choice for weights that feed `activation`, of the table in activation_kind.hpp:
  /// he_uniform for those that pass positive values on and stop or shrink negative ones, such as
  /// relu, lecun_normal for selu, glorot_uniform for linear and those of two bounds, such as tanh.
  static Initializer for_activation(const Activation& activation);

  /// Throws Error when an option is out of its range, or the options are those of another kind.
  void check() const;

  /// Fills `values` (rows x columns, row-major) from the random stream (seed, stream): the same
  /// values for any thread count, instruction set and precision (float is the rounded double).
  /// fan_out: 0 stands for the columns.
  void fill(double* values, std::int64_t rows, std::int64_t columns, std::uint64_t seed,
            std::uint64_t stream, std::int64_t fan_out = 0) const;

  bool operator==(const Initializer&) const = default;
};

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/layer.hpp"

namespace chainrule {

/// What the layers have in common that make one tensor of several of one shape, element by element.
/// Nothing is broadcast: shapes must be equal.
class CHAINRULE_API Merge : public Layer {
 public:
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// The sum of its inputs, from the first to the last.
class CHAINRULE_API Add final : public Merge {
 public:
  static Add from_config(const Config& config);
  std::string_view kind() const override { return "add"; }
};

/// The first input minus the second.
class CHAINRULE_API Subtract final : public Merge {
 public:
  static Subtract from_config(const Config& config);
  std::string_view kind() const override { return "subtract"; }
  Shape output_shape(const std::vector<Shape>& inputs) const override;
};

/// The product of its inputs, element by element.
class CHAINRULE_API Multiply final : public Merge {
 public:
  static Multiply from_config(const Config& config);
  std::string_view kind() const override { return "multiply"; }
};

/// The sum of its inputs divided by their number.
class CHAINRULE_API Average final : public Merge {
 public:
  explicit Average(bool independent_ = false) : independent(independent_) {}
  static Average from_config(const Config& config);
  std::string_view kind() const override { return "average"; }
  Config config() const override;

  /// As an output of a network: training minimises the sum of the losses of its inputs, each by
  /// itself, instead of the loss of their mean. These are then the members of an ensemble. Losses
  /// that are not trained, as of validation, are those of the mean.
  bool independent;
};

/// The largest of its inputs, element by element. Where several are equal, the first of them gets
/// the whole gradient.
class CHAINRULE_API Maximum final : public Merge {
 public:
  static Maximum from_config(const Config& config);
  std::string_view kind() const override { return "maximum"; }
};

/// Its inputs beside each other: of the same positions, all columns one behind the other.
class CHAINRULE_API Concatenate final : public Layer {
 public:
  static Concatenate from_config(const Config& config);
  std::string_view kind() const override { return "concatenate"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// Sums of products over the columns of two inputs: of (features) and (features) a single number,
/// of (n, features) and (m, features) each row's with each row, (n, m).
class CHAINRULE_API Dot final : public Layer {
 public:
  static Dot from_config(const Config& config);
  std::string_view kind() const override { return "dot"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

}  // namespace chainrule

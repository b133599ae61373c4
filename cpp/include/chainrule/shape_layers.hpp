// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/layer.hpp"

namespace chainrule {

/// The same numbers in the same order, in another shape.
class CHAINRULE_API Reshape final : public Layer {
 public:
  std::vector<std::int64_t> target_shape;  // one extent may be -1, which follows from the others

  Reshape() = default;
  explicit Reshape(std::vector<std::int64_t> target_shape_)
      : target_shape(std::move(target_shape_)) {}
  static Reshape from_config(const Config& config);

  std::string_view kind() const override { return "reshape"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// The same numbers in the same order, in one row.
class CHAINRULE_API Flatten final : public Layer {
 public:
  static Flatten from_config(const Config& config);

  std::string_view kind() const override { return "flatten"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// The axes in another order: axis i of what it gives is axis dims[i] of its input, counted from 1,
/// since axis 0 is the batch's.
class CHAINRULE_API Permute final : public Layer {
 public:
  std::vector<std::int64_t> dims;

  Permute() = default;
  explicit Permute(std::vector<std::int64_t> dims_) : dims(std::move(dims_)) {}
  static Permute from_config(const Config& config);

  std::string_view kind() const override { return "permute"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// Some columns, the last axis, in the order in which they are named, each once or more often.
class CHAINRULE_API Take final : public Layer {
 public:
  std::vector<std::int64_t> columns;

  Take() = default;
  explicit Take(std::vector<std::int64_t> columns_) : columns(std::move(columns_)) {}
  static Take from_config(const Config& config);

  std::string_view kind() const override { return "take"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// (features) n times, as (n, features).
class CHAINRULE_API RepeatVector final : public Layer {
 public:
  std::int64_t n = 0;

  RepeatVector() = default;
  explicit RepeatVector(std::int64_t n_) : n(n_) {}
  static RepeatVector from_config(const Config& config);

  std::string_view kind() const override { return "repeat_vector"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// One position of a sequence: of (time, features) the (features) at `index`, which counts from the
/// end if it is negative.
class CHAINRULE_API Position final : public Layer {
 public:
  std::int64_t index = -1;

  Position() = default;
  explicit Position(std::int64_t index_) : index(index_) {}
  static Position from_config(const Config& config);

  std::string_view kind() const override { return "position"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// The mean over all positions, a number for each column: of (time, features), (height, width,
/// channels) and the like.
class CHAINRULE_API GlobalAveragePooling final : public Layer {
 public:
  static GlobalAveragePooling from_config(const Config& config);

  std::string_view kind() const override { return "global_average_pooling"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

}  // namespace chainrule

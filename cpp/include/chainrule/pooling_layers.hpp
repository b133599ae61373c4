// SPDX-License-Identifier: Apache-2.0
// Layers over the positions of sequences, (time, features), and images, (height, width, channels),
// without parameters. Their lists have one number for each axis but the last, or one for all.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/layer.hpp"
#include "chainrule/padding.hpp"

namespace chainrule {

/// What MaxPooling and AveragePooling have in common: windows, of which each gives one position.
class CHAINRULE_API Pooling : public Layer {
 public:
  std::vector<std::int64_t> pool_size{2};
  std::vector<std::int64_t> strides;  // empty: pool_size
  Padding padding = Padding::valid;   // or same, whose border is in no window

  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;

 protected:
  Pooling() = default;
  Pooling(std::vector<std::int64_t> pool_size_, std::vector<std::int64_t> strides_,
          Padding padding_)
      : pool_size(std::move(pool_size_)), strides(std::move(strides_)), padding(padding_) {}
  void read(const Config& config);
};

/// The largest number of each window. The first of equal ones, in (row, column) order, takes the
/// gradient; a NaN counts as larger than all numbers.
class CHAINRULE_API MaxPooling final : public Pooling {
 public:
  MaxPooling() = default;
  explicit MaxPooling(std::vector<std::int64_t> pool_size_, std::vector<std::int64_t> strides_ = {},
                      Padding padding_ = Padding::valid)
      : Pooling(std::move(pool_size_), std::move(strides_), padding_) {}
  static MaxPooling from_config(const Config& config);

  std::string_view kind() const override { return "max_pooling"; }
};

/// The mean of each window.
class CHAINRULE_API AveragePooling final : public Pooling {
 public:
  AveragePooling() = default;
  explicit AveragePooling(std::vector<std::int64_t> pool_size_,
                          std::vector<std::int64_t> strides_ = {},
                          Padding padding_ = Padding::valid)
      : Pooling(std::move(pool_size_), std::move(strides_), padding_) {}
  static AveragePooling from_config(const Config& config);

  std::string_view kind() const override { return "average_pooling"; }
};

/// The largest number of each column over all positions; ties and NaN as in MaxPooling.
class CHAINRULE_API GlobalMaxPooling final : public Layer {
 public:
  static GlobalMaxPooling from_config(const Config& config);

  std::string_view kind() const override { return "global_max_pooling"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// Each position `size` times along each axis.
class CHAINRULE_API UpSampling final : public Layer {
 public:
  std::vector<std::int64_t> size{2};

  UpSampling() = default;
  explicit UpSampling(std::vector<std::int64_t> size_) : size(std::move(size_)) {}
  static UpSampling from_config(const Config& config);

  std::string_view kind() const override { return "up_sampling"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// Zeros around the positions. `padding` is one number for all sides; (before, behind) of time;
/// (height, width) of an image, or (top, bottom, left, right).
class CHAINRULE_API ZeroPadding final : public Layer {
 public:
  std::vector<std::int64_t> padding{1};

  ZeroPadding() = default;
  explicit ZeroPadding(std::vector<std::int64_t> padding_) : padding(std::move(padding_)) {}
  static ZeroPadding from_config(const Config& config);

  std::string_view kind() const override { return "zero_padding"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// The positions without some of them at each side, told as in ZeroPadding.
class CHAINRULE_API Cropping final : public Layer {
 public:
  std::vector<std::int64_t> cropping{1};

  Cropping() = default;
  explicit Cropping(std::vector<std::int64_t> cropping_) : cropping(std::move(cropping_)) {}
  static Cropping from_config(const Config& config);

  std::string_view kind() const override { return "cropping"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

}  // namespace chainrule

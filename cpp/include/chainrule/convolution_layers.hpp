// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "chainrule/activation.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/initializer.hpp"
#include "chainrule/layer.hpp"
#include "chainrule/padding.hpp"

namespace chainrule {

/// What layers with a kernel that moves have in common. kernel_size, strides and dilation have a
/// number for each axis, or one for all; the penalties l1 and l2 are on the weight alone.
class CHAINRULE_API KernelLayer : public TrainedLayer {
 public:
  std::vector<std::int64_t> kernel_size;
  std::vector<std::int64_t> strides = {1};
  Padding padding = Padding::valid;
  std::vector<std::int64_t> dilation = {1};
  Activation activation;
  bool use_bias = true;
  std::optional<Initializer> weight_initializer;  // default: Initializer::for_activation
  Initializer bias_initializer;                   // default: zeros
  double l1 = 0.0;
  double l2 = 0.0;

  /// How many axes the kernel moves along.
  virtual std::size_t axes() const = 0;
  /// Whether it is the transpose of the convolution with its options.
  virtual bool is_transposed() const { return false; }
  /// Whether it convolves each channel by itself, with `count` outputs each; else all channels,
  /// with `count` outputs.
  virtual bool is_depthwise() const { return false; }
  virtual std::int64_t& count() = 0;
  virtual std::int64_t count() const = 0;

  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;

 protected:
  KernelLayer();
  KernelLayer(std::vector<std::int64_t> kernel_size_, Activation activation_)
      : kernel_size(std::move(kernel_size_)), activation(activation_) {}
  /// Sets the options that `config` gives.
  void read(const Config& config);
};

/// What convolutions have in common. Those of Conv1D and Conv2D are y(o, f) = activation(b(f) + sum
/// over kernel positions k and channels c, in this order, of x(o stride - before + k dilation, c)
/// W(k, c, f)), where x is zero outside the input.
///
/// Parameters: weight of shape (kernel_size..., channels, filters), bias of shape (filters) if
/// use_bias.
class CHAINRULE_API Convolution : public KernelLayer {
 public:
  std::int64_t filters = 0;

  std::int64_t& count() override { return filters; }
  std::int64_t count() const override { return filters; }

 protected:
  Convolution() = default;
  Convolution(std::int64_t filters_, std::vector<std::int64_t> kernel_size_, Activation activation_)
      : KernelLayer(std::move(kernel_size_), activation_), filters(filters_) {}
};

/// A convolution over time, of (time, features). Its padding may be causal.
class CHAINRULE_API Conv1D final : public Convolution {
 public:
  Conv1D() = default;
  Conv1D(std::int64_t filters_, std::vector<std::int64_t> kernel_size_, Activation activation_ = {})
      : Convolution(filters_, std::move(kernel_size_), activation_) {}
  static Conv1D from_config(const Config& config);

  std::string_view kind() const override { return "conv1d"; }
  std::size_t axes() const override { return 1; }
};

/// A convolution over images, of (height, width, channels).
class CHAINRULE_API Conv2D final : public Convolution {
 public:
  Conv2D() = default;
  Conv2D(std::int64_t filters_, std::vector<std::int64_t> kernel_size_, Activation activation_ = {})
      : Convolution(filters_, std::move(kernel_size_), activation_) {}
  static Conv2D from_config(const Config& config);

  std::string_view kind() const override { return "conv2d"; }
  std::size_t axes() const override { return 2; }
};

/// What transposed convolutions have in common: from the outputs of a convolution to its inputs.
/// Each input is spread over the window of outputs that the convolution would make it of. With that
/// one's stride, dilation and zeros before the input,
///
///     y(i, f) = activation(b(f) + sum over kernel positions k, from the last to the first, and
///               channels c, in this order, of x(o, c) W(k, f, c))
///
/// with the o for which o stride - before + k dilation = i. The outputs are inputs * stride along
/// each axis, and with valid padding max(span - stride, 0) more, where span = dilation
/// (kernel_size - 1) + 1, as in Keras.
///
/// Parameters: weight of shape (kernel_size..., filters, channels), bias of shape (filters) if
/// use_bias.
class CHAINRULE_API TransposedConvolution : public Convolution {
 public:
  bool is_transposed() const override { return true; }

 protected:
  using Convolution::Convolution;
};

/// The transpose of a Conv1D, of (time, features). Its padding is not causal.
class CHAINRULE_API Conv1DTranspose final : public TransposedConvolution {
 public:
  Conv1DTranspose() = default;
  Conv1DTranspose(std::int64_t filters_, std::vector<std::int64_t> kernel_size_,
                  Activation activation_ = {})
      : TransposedConvolution(filters_, std::move(kernel_size_), activation_) {}
  static Conv1DTranspose from_config(const Config& config);

  std::string_view kind() const override { return "conv1d_transpose"; }
  std::size_t axes() const override { return 1; }
};

/// The transpose of a Conv2D, of (height, width, channels).
class CHAINRULE_API Conv2DTranspose final : public TransposedConvolution {
 public:
  Conv2DTranspose() = default;
  Conv2DTranspose(std::int64_t filters_, std::vector<std::int64_t> kernel_size_,
                  Activation activation_ = {})
      : TransposedConvolution(filters_, std::move(kernel_size_), activation_) {}
  static Conv2DTranspose from_config(const Config& config);

  std::string_view kind() const override { return "conv2d_transpose"; }
  std::size_t axes() const override { return 2; }
};

/// What convolutions of each channel by itself have in common: y(o, j) = activation(b(j) + sum over
/// kernel positions k inside the input, in order, of x(o stride - before + k dilation, c) W(k, j)),
/// where channel c has the outputs j from c depth_multiplier on.
///
/// Parameters: weight of shape (kernel_size..., channels * depth_multiplier), bias of shape
/// (channels * depth_multiplier) if use_bias.
class CHAINRULE_API DepthwiseConvolution : public KernelLayer {
 public:
  std::int64_t depth_multiplier = 1;  // outputs of each channel

  bool is_depthwise() const override { return true; }
  std::int64_t& count() override { return depth_multiplier; }
  std::int64_t count() const override { return depth_multiplier; }

 protected:
  using KernelLayer::KernelLayer;
};

/// A convolution of each feature of (time, features) by itself. Its padding may be causal.
class CHAINRULE_API DepthwiseConv1D final : public DepthwiseConvolution {
 public:
  DepthwiseConv1D() = default;
  explicit DepthwiseConv1D(std::vector<std::int64_t> kernel_size_, Activation activation_ = {})
      : DepthwiseConvolution(std::move(kernel_size_), activation_) {}
  static DepthwiseConv1D from_config(const Config& config);

  std::string_view kind() const override { return "depthwise_conv1d"; }
  std::size_t axes() const override { return 1; }
};

/// A convolution of each channel of (height, width, channels) by itself.
class CHAINRULE_API DepthwiseConv2D final : public DepthwiseConvolution {
 public:
  DepthwiseConv2D() = default;
  explicit DepthwiseConv2D(std::vector<std::int64_t> kernel_size_, Activation activation_ = {})
      : DepthwiseConvolution(std::move(kernel_size_), activation_) {}
  static DepthwiseConv2D from_config(const Config& config);

  std::string_view kind() const override { return "depthwise_conv2d"; }
  std::size_t axes() const override { return 2; }
};

}  // namespace chainrule

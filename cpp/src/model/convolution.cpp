// SPDX-License-Identifier: Apache-2.0
#include "model/convolution.hpp"

#include <string>

#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/parameter_factors.hpp"

namespace chainrule {
namespace {

/// The option that says how many outputs there are.
const char* count_name(const KernelLayer& layer) {
  return layer.is_depthwise() ? "depth_multiplier" : "filters";
}

/// The options as a config holds them, with the padding's name. L: KernelLayer, const or not.
template <class L>
struct KernelOptions {
  L& layer;
  std::string padding{model::padding_names.name(Padding::valid)};
};

template <class Self>
concept OptionsOfKernels = model::described_as<Self, KernelOptions<KernelLayer>> ||
                           model::described_as<Self, KernelOptions<const KernelLayer>>;

template <class Visit, class Self>
  requires OptionsOfKernels<Self>
void visit_fields(Visit& visit, Self& self) {
  auto&& count = self.layer.count();
  visit(count_name(self.layer), count, model::at_least_one);
  visit("kernel_size", self.layer.kernel_size, model::at_least_one);
  visit("strides", self.layer.strides, model::at_least_one);
  visit("padding", self.padding);
  visit("dilation", self.layer.dilation, model::at_least_one);
  visit("activation", self.layer.activation);
  visit("use_bias", self.layer.use_bias);
  visit("weight_initializer", self.layer.weight_initializer);
  visit("bias_initializer", self.layer.bias_initializer);
  visit("l1", self.layer.l1, model::non_negative);
  visit("l2", self.layer.l2, model::non_negative);
  model::visit_factors(visit, self.layer);
}

/// The product of the kernel's extents.
std::int64_t kernel_positions(const std::vector<model::Window>& windows) {
  std::int64_t product = 1;
  for (const model::Window& window : windows) product *= window.size;
  return product;
}

/// How many filters of such windows make a weight of 2^48 numbers.
std::int64_t most_filters(const std::vector<model::Window>& windows, const Shape& input) {
  std::int64_t room = (std::int64_t{1} << 48) / input.columns();
  for (const model::Window& window : windows) room /= window.size;
  return room;
}

/// Throws Error for a padding or a kernel that the layer does not have.
void check_kernel(const KernelLayer& layer) {
  if (layer.padding == Padding::causal) {
    model::find_padding(layer.kind(), "causal", layer.axes());
    if (layer.is_transposed())
      model::refuse(layer.kind(), "padding must be 'valid' or 'same', got 'causal'");
  }
  if (layer.kernel_size.empty())
    model::refuse(layer.kind(), "kernel_size is missing; it must be >= 1");
}

/// Throws Error for options that fit no input.
model::WindowOptions checked_options(const KernelLayer& layer) {
  model::check_fields(layer.kind(), KernelOptions<const KernelLayer>{layer});
  check_kernel(layer);
  return {"kernel_size", layer.kernel_size, layer.strides, layer.dilation, layer.padding};
}

/// The weight of these shape and fan_out and the bias, with the layer's factors.
std::vector<ParameterSpec> specs_of(const KernelLayer& layer, const Shape& weight,
                                    std::int64_t fan_out, std::int64_t columns) {
  std::vector<ParameterSpec> specs{{.name = "weight",
                                    .shape = weight,
                                    .initializer = layer.weight_initializer.value_or(
                                        Initializer::for_activation(layer.activation)),
                                    .l1 = layer.l1,
                                    .l2 = layer.l2,
                                    .fan_out = fan_out}};
  if (layer.use_bias)
    specs.push_back({.name = "bias", .shape = columns, .initializer = layer.bias_initializer});
  return model::with_factors(std::move(specs), layer);
}

}  // namespace

// Here, since each of six layers would have it otherwise.
KernelLayer::KernelLayer() = default;

void KernelLayer::read(const Config& config) {
  KernelOptions<KernelLayer> options{*this};
  model::read_fields(config, options);
  padding = model::find_padding(kind(), options.padding, axes());
  check_kernel(*this);
}

Config KernelLayer::config() const {
  return model::write_fields(kind(), KernelOptions<const KernelLayer>{
                                         *this, std::string(model::padding_names.name(padding))});
}

Shape KernelLayer::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::single_input(kind(), inputs);
  const std::vector<model::Window> windows = model::windows_of(*this, input);
  if (count() > most_filters(windows, input))
    model::refuse(kind(), std::string("kernel_size * channels * ") + count_name(*this) +
                              " must be at most 2^48, got " + std::to_string(count()) + " on " +
                              input.text());
  std::vector<std::int64_t> extents;
  extents.reserve(windows.size() + 1);
  for (const model::Window& window : windows)
    extents.push_back(is_transposed() ? window.inputs : window.outputs);
  extents.push_back(is_depthwise() ? input.columns() * count() : count());
  return Shape(std::move(extents));
}

std::vector<ParameterSpec> KernelLayer::parameters(const std::vector<Shape>& inputs) const {
  const std::int64_t columns = output_shape(inputs).columns();
  const std::int64_t channels = inputs.front().columns();
  const std::vector<model::Window> windows = model::windows_of(*this, inputs.front());
  std::vector<std::int64_t> extents;
  extents.reserve(windows.size() + 2);
  for (const model::Window& window : windows) extents.push_back(window.size);
  if (!is_depthwise()) extents.push_back(is_transposed() ? columns : channels);
  extents.push_back(is_transposed() ? channels : columns);
  const std::int64_t fan_out =
      kernel_positions(windows) * (is_depthwise() ? count() : extents.back());
  return specs_of(*this, Shape(std::move(extents)), fan_out, columns);
}

Conv1D Conv1D::from_config(const Config& config) {
  Conv1D layer;
  layer.read(config);
  return layer;
}

Conv2D Conv2D::from_config(const Config& config) {
  Conv2D layer;
  layer.read(config);
  return layer;
}

Conv1DTranspose Conv1DTranspose::from_config(const Config& config) {
  Conv1DTranspose layer;
  layer.read(config);
  return layer;
}

Conv2DTranspose Conv2DTranspose::from_config(const Config& config) {
  Conv2DTranspose layer;
  layer.read(config);
  return layer;
}

DepthwiseConv1D DepthwiseConv1D::from_config(const Config& config) {
  DepthwiseConv1D layer;
  layer.read(config);
  return layer;
}

DepthwiseConv2D DepthwiseConv2D::from_config(const Config& config) {
  DepthwiseConv2D layer;
  layer.read(config);
  return layer;
}

std::vector<model::Window> model::windows_of(const KernelLayer& layer, const Shape& input) {
  const WindowOptions options = checked_options(layer);
  return layer.is_transposed() ? transposed_windows_of(layer.kind(), input, layer.axes(), options)
                               : windows_of(layer.kind(), input, layer.axes(), options);
}

Take model::repeated_channels(const DepthwiseConvolution& layer, std::int64_t channels) {
  Take repeated;
  for (std::int64_t j = 0; j < channels * layer.depth_multiplier; ++j)
    repeated.columns.push_back(j / layer.depth_multiplier);
  return repeated;
}

}  // namespace chainrule

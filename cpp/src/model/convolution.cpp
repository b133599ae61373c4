// SPDX-License-Identifier: Apache-2.0
#include "model/convolution.hpp"

#include <string>
#include <type_traits>

#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/parameter_factors.hpp"

namespace chainrule {
namespace {

/// The options as a config holds them, with the padding's name. L: Convolution or
/// DepthwiseConvolution, const or not.
template <class L>
struct ConvolutionOptions {
  L& layer;
  std::string padding{model::padding_names.name(Padding::valid)};
};

template <class Self, class L>
concept OptionsOf = model::described_as<Self, ConvolutionOptions<L>> ||
                    model::described_as<Self, ConvolutionOptions<const L>>;

template <class Visit, class Self>
  requires OptionsOf<Self, Convolution> || OptionsOf<Self, DepthwiseConvolution>
void visit_fields(Visit& visit, Self& self) {
  if constexpr (OptionsOf<Self, Convolution>)
    visit("filters", self.layer.filters, model::at_least_one);
  visit("kernel_size", self.layer.kernel_size, model::at_least_one);
  visit("strides", self.layer.strides, model::at_least_one);
  visit("padding", self.padding);
  visit("dilation", self.layer.dilation, model::at_least_one);
  visit("activation", self.layer.activation);
  if constexpr (OptionsOf<Self, DepthwiseConvolution>)
    visit("depth_multiplier", self.layer.depth_multiplier, model::at_least_one);
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

/// Throws Error for a padding that the layer does not have.
template <class L>
void check_padding(const L& layer) {
  if (layer.padding != Padding::causal) return;
  model::find_padding(layer.kind(), "causal", layer.axes());
  if constexpr (std::is_same_v<L, Convolution>)
    if (layer.is_transposed())
      model::refuse(layer.kind(), "padding must be 'valid' or 'same', got 'causal'");
}

template <class L>
void read_options(const Config& config, L& layer) {
  ConvolutionOptions<L> options{layer};
  model::read_fields(config, options);
  layer.padding = model::find_padding(layer.kind(), options.padding, layer.axes());
  check_padding(layer);
  if (layer.kernel_size.empty())
    model::refuse(layer.kind(), "kernel_size is missing; it must be >= 1");
}

template <class L>
Config config_of(const L& layer) {
  return model::write_fields(
      layer.kind(),
      ConvolutionOptions<const L>{layer, std::string(model::padding_names.name(layer.padding))});
}

/// Throws Error for options that fit no input.
template <class L>
model::WindowOptions checked_options(const L& layer) {
  model::check_fields(layer.kind(), ConvolutionOptions<const L>{layer});
  if (layer.kernel_size.empty())
    model::refuse(layer.kind(), "kernel_size is missing; it must be >= 1");
  check_padding(layer);
  return {"kernel_size", layer.kernel_size, layer.strides, layer.dilation, layer.padding};
}

/// The weight of these shape and fan_out and the bias, with the layer's factors.
template <class L>
std::vector<ParameterSpec> specs_of(const L& layer, const Shape& weight, std::int64_t fan_out,
                                    std::int64_t columns) {
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

void Convolution::read(const Config& config) { read_options(config, *this); }

Config Convolution::config() const { return config_of(*this); }

Shape Convolution::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::single_input(kind(), inputs);
  const std::vector<model::Window> windows = model::windows_of(*this, input);
  if (filters > most_filters(windows, input))
    model::refuse(kind(), "kernel_size * channels * filters must be at most 2^48, got " +
                              std::to_string(filters) + " filters on " + input.text());
  std::vector<std::int64_t> extents;
  extents.reserve(windows.size() + 1);
  for (const model::Window& window : windows)
    extents.push_back(is_transposed() ? window.inputs : window.outputs);
  extents.push_back(filters);
  return Shape(std::move(extents));
}

std::vector<ParameterSpec> Convolution::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  const Shape& input = inputs.front();
  const std::vector<model::Window> windows = model::windows_of(*this, input);
  std::vector<std::int64_t> extents;
  extents.reserve(windows.size() + 2);
  for (const model::Window& window : windows) extents.push_back(window.size);
  extents.push_back(is_transposed() ? filters : input.columns());
  extents.push_back(is_transposed() ? input.columns() : filters);
  const std::int64_t fan_out = kernel_positions(windows) * extents.back();
  return specs_of(*this, Shape(std::move(extents)), fan_out, filters);
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

void DepthwiseConvolution::read(const Config& config) { read_options(config, *this); }

Config DepthwiseConvolution::config() const { return config_of(*this); }

Shape DepthwiseConvolution::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::single_input(kind(), inputs);
  const std::vector<model::Window> windows = model::windows_of(*this, input);
  if (depth_multiplier > most_filters(windows, input))
    model::refuse(kind(), "kernel_size * channels * depth_multiplier must be at most 2^48 on " +
                              input.text());
  std::vector<std::int64_t> extents;
  extents.reserve(windows.size() + 1);
  for (const model::Window& window : windows) extents.push_back(window.outputs);
  extents.push_back(input.columns() * depth_multiplier);
  return Shape(std::move(extents));
}

std::vector<ParameterSpec> DepthwiseConvolution::parameters(
    const std::vector<Shape>& inputs) const {
  const std::int64_t columns = output_shape(inputs).columns();
  const std::vector<model::Window> windows = model::windows_of(*this, inputs.front());
  std::vector<std::int64_t> extents;
  extents.reserve(windows.size() + 1);
  for (const model::Window& window : windows) extents.push_back(window.size);
  extents.push_back(columns);
  return specs_of(*this, Shape(std::move(extents)), kernel_positions(windows) * depth_multiplier,
                  columns);
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

std::vector<model::Window> model::windows_of(const Convolution& layer, const Shape& input) {
  const WindowOptions options = checked_options(layer);
  return layer.is_transposed() ? transposed_windows_of(layer.kind(), input, layer.axes(), options)
                               : windows_of(layer.kind(), input, layer.axes(), options);
}

std::vector<model::Window> model::windows_of(const DepthwiseConvolution& layer,
                                             const Shape& input) {
  return windows_of(layer.kind(), input, layer.axes(), checked_options(layer));
}

}  // namespace chainrule

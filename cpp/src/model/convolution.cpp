// SPDX-License-Identifier: Apache-2.0
#include "model/convolution.hpp"

#include <string>

#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/parameter_factors.hpp"

namespace chainrule {
namespace {

/// The options as a config holds them, with the padding's name. L: Convolution, const or not.
template <class L>
struct ConvolutionOptions {
  L& layer;
  std::string padding{model::padding_names.name(Padding::valid)};
};

template <class Visit, class Self>
  requires model::described_as<Self, ConvolutionOptions<Convolution>> ||
           model::described_as<Self, ConvolutionOptions<const Convolution>>
void visit_fields(Visit& visit, Self& self) {
  visit("filters", self.layer.filters, model::at_least_one);
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

}  // namespace

void Convolution::read(const Config& config) {
  ConvolutionOptions<Convolution> options{*this};
  model::read_fields(config, options);
  padding = model::find_padding(kind(), options.padding, axes());
  if (kernel_size.empty()) model::refuse(kind(), "kernel_size is missing; it must be >= 1");
}

Config Convolution::config() const {
  return model::write_fields(kind(), ConvolutionOptions<const Convolution>{
                                         *this, std::string(model::padding_names.name(padding))});
}

Shape Convolution::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::single_input(kind(), inputs);
  const std::vector<model::Window> windows = model::windows_of(*this, input);
  constexpr std::int64_t most_weights = std::int64_t{1} << 48;
  std::int64_t room = most_weights / input.columns();
  for (const model::Window& window : windows) room /= window.size;
  if (filters > room)
    model::refuse(kind(), "kernel_size * channels * filters must be at most 2^48, got " +
                              std::to_string(filters) + " filters on " + input.text());
  std::vector<std::int64_t> extents;
  extents.reserve(windows.size() + 1);
  for (const model::Window& window : windows) extents.push_back(window.outputs);
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
  extents.push_back(input.columns());
  extents.push_back(filters);
  std::vector<ParameterSpec> specs{
      {.name = "weight",
       .shape = Shape(std::move(extents)),
       .initializer = weight_initializer.value_or(Initializer::for_activation(activation)),
       .l1 = l1,
       .l2 = l2,
       .fan_out = kernel_positions(windows) * filters}};
  if (use_bias)
    specs.push_back({.name = "bias", .shape = filters, .initializer = bias_initializer});
  return model::with_factors(std::move(specs), *this);
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

std::vector<model::Window> model::windows_of(const Convolution& layer, const Shape& input) {
  check_fields(layer.kind(), ConvolutionOptions<const Convolution>{layer});
  if (layer.kernel_size.empty()) refuse(layer.kind(), "kernel_size is missing; it must be >= 1");
  if (layer.padding == Padding::causal) find_padding(layer.kind(), "causal", layer.axes());
  return windows_of(
      layer.kind(), input, layer.axes(),
      {"kernel_size", layer.kernel_size, layer.strides, layer.dilation, layer.padding});
}

}  // namespace chainrule

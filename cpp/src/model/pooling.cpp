// SPDX-License-Identifier: Apache-2.0
#include "model/pooling.hpp"

#include <string>

#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, GlobalMaxPooling>
static void visit_fields(Visit&, Self&) {}

namespace {

/// The options as a config holds them: the padding by its name.
struct PoolingOptions {
  std::vector<std::int64_t> pool_size;
  std::vector<std::int64_t> strides;
  std::string padding;
};

template <class Visit, class Self>
  requires model::described_as<Self, PoolingOptions>
void visit_fields(Visit& visit, Self& self) {
  visit("pool_size", self.pool_size, model::at_least_one);
  visit("strides", self.strides, model::at_least_one);
  visit("padding", self.padding);
}

PoolingOptions options_of(const Pooling& layer) {
  return {layer.pool_size, layer.strides, std::string(model::padding_names.name(layer.padding))};
}

/// Throws Error for options that fit no input.
void check(const Pooling& layer) {
  model::check_fields(layer.kind(), options_of(layer));
  if (layer.padding == Padding::causal)
    model::refuse(layer.kind(), "padding must be 'valid' or 'same', got 'causal'");
  if (layer.pool_size.empty())
    model::refuse(layer.kind(), "pool_size must be one integer, or one for each axis, got none");
}

}  // namespace

std::size_t model::position_axes(std::string_view kind, const Shape& input) {
  if (input.rank() != 2 && input.rank() != 3)
    refuse(kind, "it reads (time, features) or (height, width, channels), got rows of shape " +
                     input.text());
  return static_cast<std::size_t>(input.rank()) - 1;
}

std::vector<model::Window> model::pool_windows(const Pooling& layer, const Shape& input) {
  const std::size_t axes = position_axes(layer.kind(), input);
  return windows_of(layer.kind(), input, axes,
                    {.size_name = "pool_size",
                     .sizes = layer.pool_size,
                     .strides = layer.strides.empty() ? layer.pool_size : layer.strides,
                     .dilations = {1},
                     .padding = layer.padding});
}

void Pooling::read(const Config& config) {
  PoolingOptions options = options_of(*this);
  model::read_fields(config, options);
  pool_size = std::move(options.pool_size);
  strides = std::move(options.strides);
  padding =
      model::within(kind(), "padding", [&] { return model::padding_names.find(options.padding); });
  check(*this);
}

Config Pooling::config() const { return model::write_fields(kind(), options_of(*this)); }

Shape Pooling::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::single_input(kind(), inputs);
  check(*this);
  std::vector<std::int64_t> extents;
  for (const model::Window& window : model::pool_windows(*this, input))
    extents.push_back(window.outputs);
  extents.push_back(input.columns());
  return Shape(extents);
}

std::vector<ParameterSpec> Pooling::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

MaxPooling MaxPooling::from_config(const Config& config) {
  MaxPooling layer;
  layer.read(config);
  return layer;
}

AveragePooling AveragePooling::from_config(const Config& config) {
  AveragePooling layer;
  layer.read(config);
  return layer;
}

GlobalMaxPooling GlobalMaxPooling::from_config(const Config& config) {
  GlobalMaxPooling layer;
  model::read_fields(config, layer);
  return layer;
}

Config GlobalMaxPooling::config() const { return model::write_fields(kind(), *this); }

Shape GlobalMaxPooling::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  if (input.rank() < 2)
    model::refuse(kind(),
                  "it takes the largest over positions, as of (time, features) or (height, width, "
                  "channels), and there are none in " +
                      input.text());
  return input.columns();
}

std::vector<ParameterSpec> GlobalMaxPooling::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule

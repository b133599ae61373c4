// SPDX-License-Identifier: Apache-2.0
// Layers that add positions, or leave some out: UpSampling, ZeroPadding and Cropping.
#include <string>

#include "model/check_layer.hpp"
#include "model/fields.hpp"
#include "model/pooling.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, UpSampling>
static void visit_fields(Visit& visit, Self& self) {
  visit("size", self.size, model::at_least_one);
}

template <class Visit, class Self>
  requires model::described_as<Self, ZeroPadding>
static void visit_fields(Visit& visit, Self& self) {
  visit("padding", self.padding, model::non_negative);
}

template <class Visit, class Self>
  requires model::described_as<Self, Cropping>
static void visit_fields(Visit& visit, Self& self) {
  visit("cropping", self.cropping, model::non_negative);
}

namespace {

/// Throws Error for a list that fits no input, or numbers with which extents might overflow.
void check_numbers(std::string_view kind, const char* name,
                   const std::vector<std::int64_t>& numbers) {
  if (numbers.empty())
    model::refuse(kind, std::string(name) + " must be one integer or more, got none");
  constexpr std::int64_t most = std::int64_t{1} << 30;
  for (const std::int64_t number : numbers)
    if (number > most)
      model::refuse(kind,
                    std::string(name) + " must be at most 2^30, got " + std::to_string(number));
}

/// The shape with extents along its axes of positions that `extent` makes of those that it has.
template <class Extent>
Shape with_extents(std::string_view kind, const Shape& input, Extent extent) {
  constexpr std::int64_t most = std::int64_t{1} << 32;
  std::vector<std::int64_t> extents = input.extents();
  for (std::size_t axis = 0; axis + 1 < extents.size(); ++axis) {
    if (extents[axis] > most)
      model::refuse(kind, "extents of its input must be at most 2^32, got " + input.text());
    extents[axis] = extent(axis, extents[axis]);
  }
  Shape shape(extents);
  (void)shape.size();
  return shape;
}

}  // namespace

std::vector<std::int64_t> model::up_sampling_sizes(const UpSampling& layer, const Shape& input) {
  const std::size_t axes = position_axes(layer.kind(), input);
  if (layer.size.size() == 1) return std::vector<std::int64_t>(axes, layer.size[0]);
  if (layer.size.size() != axes)
    refuse(layer.kind(), "size must be one integer or " + std::to_string(axes) + ", got " +
                             std::to_string(layer.size.size()));
  return layer.size;
}

std::vector<model::Border> model::borders(std::string_view kind, const char* name,
                                          const std::vector<std::int64_t>& numbers,
                                          const Shape& input) {
  const std::size_t axes = position_axes(kind, input);
  if (numbers.size() == 1) return std::vector<Border>(axes, {numbers[0], numbers[0]});
  std::vector<Border> result;
  if (numbers.size() == 2 * axes) {
    for (std::size_t i = 0; i < numbers.size(); i += 2)
      result.push_back({numbers[i], numbers[i + 1]});
  } else if (numbers.size() == axes) {
    for (const std::int64_t number : numbers) result.push_back({number, number});
  } else {
    refuse(kind, std::string(name) + " must be one integer, " +
                     (axes == 1 ? "or (before, behind)"
                                : "(height, width), or (top, bottom, left, right)") +
                     " for rows of shape " + input.text() + ", got " +
                     std::to_string(numbers.size()) + " integers");
  }
  return result;
}

UpSampling UpSampling::from_config(const Config& config) {
  UpSampling layer;
  model::read_fields(config, layer);
  check_numbers(layer.kind(), "size", layer.size);
  return layer;
}

Config UpSampling::config() const { return model::write_fields(kind(), *this); }

Shape UpSampling::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  check_numbers(kind(), "size", size);
  const std::vector<std::int64_t> factors = model::up_sampling_sizes(*this, input);
  return with_extents(
      kind(), input, [&](std::size_t axis, std::int64_t extent) { return extent * factors[axis]; });
}

std::vector<ParameterSpec> UpSampling::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

ZeroPadding ZeroPadding::from_config(const Config& config) {
  ZeroPadding layer;
  model::read_fields(config, layer);
  check_numbers(layer.kind(), "padding", layer.padding);
  return layer;
}

Config ZeroPadding::config() const { return model::write_fields(kind(), *this); }

Shape ZeroPadding::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  check_numbers(kind(), "padding", padding);
  const std::vector<model::Border> added = model::borders(kind(), "padding", padding, input);
  return with_extents(kind(), input, [&](std::size_t axis, std::int64_t extent) {
    return added[axis].before + extent + added[axis].behind;
  });
}

std::vector<ParameterSpec> ZeroPadding::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

Cropping Cropping::from_config(const Config& config) {
  Cropping layer;
  model::read_fields(config, layer);
  check_numbers(layer.kind(), "cropping", layer.cropping);
  return layer;
}

Config Cropping::config() const { return model::write_fields(kind(), *this); }

Shape Cropping::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  check_numbers(kind(), "cropping", cropping);
  const std::vector<model::Border> cut = model::borders(kind(), "cropping", cropping, input);
  return with_extents(kind(), input, [&](std::size_t axis, std::int64_t extent) {
    const auto [before, behind] = cut[axis];
    if (before + behind >= extent)
      model::refuse(kind(), "cropping must leave some of each axis, got " + std::to_string(before) +
                                " + " + std::to_string(behind) + " of " + std::to_string(extent) +
                                " along axis " + std::to_string(axis) + " of " + input.text());
    return extent - before - behind;
  });
}

std::vector<ParameterSpec> Cropping::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule

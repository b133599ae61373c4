// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "model/check_layer.hpp"
#include "model/fields.hpp"

namespace chainrule {

template <class Visit, class Self>
  requires model::described_as<Self, Clip>
static void visit_fields(Visit& visit, Self& self) {
  visit("min_value", self.min_value);
  visit("max_value", self.max_value);
}

namespace {

/// Throws Error unless there is something between the limits, and at least one of them.
void check_limits(const Clip& clip) {
  if (!clip.min_value && !clip.max_value)
    model::refuse(clip.kind(), "min_value, max_value or both must be given");
  if (clip.min_value && clip.max_value && *clip.min_value > *clip.max_value)
    model::refuse(clip.kind(), "min_value must be <= max_value, got " +
                                   model::to_text(*clip.min_value) + " and " +
                                   model::to_text(*clip.max_value));
}

}  // namespace

Clip Clip::from_config(const Config& config) {
  Clip clip;
  model::read_fields(config, clip);
  check_limits(clip);
  return clip;
}

Config Clip::config() const { return model::write_fields(kind(), *this); }

Shape Clip::output_shape(const std::vector<Shape>& inputs) const {
  const Shape& input = model::check_layer(*this, inputs);
  check_limits(*this);
  return input;
}

std::vector<ParameterSpec> Clip::parameters(const std::vector<Shape>& inputs) const {
  output_shape(inputs);
  return {};
}

}  // namespace chainrule

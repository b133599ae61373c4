// SPDX-License-Identifier: Apache-2.0
#include "chainrule/augmentation.hpp"

#include <cmath>
#include <string>
#include <string_view>

#include "model/fields.hpp"
#include "model/kinds.hpp"

namespace chainrule {
namespace {

using AugmentationKind = Augmentation::Kind;

constexpr auto augmentation_kinds =
    model::kinds_of<AugmentationKind, AugmentationKind::pixel_noise>(
        "augmentation", "random_shift", "random_flip", "random_rotation", "random_zoom",
        "elastic_deformation", "random_brightness", "cut_out", "pixel_noise");

// Limits far from where float's places of pixels would overflow.
constexpr model::Range some_pixels{"in [0, 1e6]", 0.0, 1e6, true, true};
constexpr model::Range angle{"in [-1e6, 1e6]", -1e6, 1e6, true, true};
constexpr model::Range zoom_factor{"in [0.001, 1000]", 0.001, 1000.0, true, true};
constexpr model::Range smoothing{"in (0, 1000]", 0.0, 1000.0, false, true};

void check_whole(std::string_view kind, const char* name, double pixels) {
  if (pixels != std::floor(pixels))
    model::refuse(kind, std::string(name) +
                            " must be a whole number of pixels unless subpixel, got " +
                            model::to_text(pixels));
}

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, Augmentation>
static void visit_fields(Visit& visit, Self& self) {
  switch (self.kind) {
    case AugmentationKind::random_shift:
      visit("x", self.x, some_pixels);
      visit("y", self.y, some_pixels);
      visit("subpixel", self.subpixel);
      break;
    case AugmentationKind::random_flip:
      visit("horizontal", self.horizontal);
      visit("vertical", self.vertical);
      break;
    case AugmentationKind::random_rotation:
      visit("degrees", self.degrees, angle);
      break;
    case AugmentationKind::random_zoom:
      visit("low", self.low, zoom_factor);
      visit("high", self.high, zoom_factor);
      break;
    case AugmentationKind::elastic_deformation:
      visit("sigma", self.sigma, smoothing);
      visit("alpha", self.alpha, some_pixels);
      break;
    case AugmentationKind::random_brightness:
      visit("factor", self.factor, model::fraction);
      break;
    case AugmentationKind::cut_out:
      visit("size", self.size, model::at_least_one);
      break;
    case AugmentationKind::pixel_noise:
      visit("stddev", self.stddev, model::non_negative);
      break;
  }
  visit("input", self.input);
}

Augmentation Augmentation::from_config(const Config& config) {
  Augmentation augmentation;
  augmentation.kind = augmentation_kinds.find(config.kind);
  model::read_fields(config, augmentation);
  augmentation.check();
  return augmentation;
}

Config Augmentation::config() const {
  return model::write_fields(augmentation_kinds.name(kind), *this);
}

std::vector<std::string> Augmentation::kinds() { return augmentation_kinds.all(); }

void Augmentation::check() const {
  const std::string_view name = augmentation_kinds.name(kind);
  model::check_fields(name, *this);
  if (kind == AugmentationKind::random_shift && !subpixel) {
    check_whole(name, "x", x);
    if (y) check_whole(name, "y", *y);
  }
  if (kind == AugmentationKind::random_zoom && low > high)
    model::refuse(name, "low must be <= high, got low " + model::to_text(low) + " and high " +
                            model::to_text(high));
  if (kind != AugmentationKind::random_rotation) return;
  if (degrees.empty() || degrees.size() > 2)
    model::refuse(name, "degrees must be one number or two, got " + std::to_string(degrees.size()));
  if (degrees.size() == 1 ? degrees[0] < 0.0 : degrees[0] > degrees[1])
    model::refuse(name,
                  degrees.size() == 1
                      ? "degrees must be >= 0, or two numbers, got " + model::to_text(degrees[0])
                      : "degrees must not fall, got " + model::to_text(degrees[0]) + " before " +
                            model::to_text(degrees[1]));
}

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/data.hpp"
#include "chainrule/export.h"
#include "chainrule/shape.hpp"

namespace chainrule {

struct Config;

/// A random change of images that a network is trained on. Each image of each epoch is changed in
/// its own way, which depends on the network's seed, the epoch and the row's place in the data
/// alone. With u, v uniform in (0, 1), or for numbers of pixels on whole ones:
///
///     random_shift        to the right by -x..x pixels and down by -y..y
///     random_flip         left to right and upside down, each of the two that is asked for in half
///                         of the images
///     random_rotation     by degrees[0]..degrees[1], or by -d..d for a single d, counterclockwise
///                         about the centre
///     random_zoom         larger by a factor from `low` to `high`, about the centre
///     elastic_deformation each pixel from a place that lies alpha g away, g = (gx, gy) two fields
///                         of numbers uniform in (-1, 1), smoothed by a Gaussian of `sigma` pixels
///                         that ends at 3 sigma and sees zeros around the image (Simard, Steinkraus
///                         & Platt, "Best practices for convolutional neural networks applied to
///                         visual document analysis", 2003)
///     random_brightness   times a number in 1 - factor..1 + factor
///     cut_out             a square of `size` pixels about a pixel of the image becomes 0 (DeVries
///                         & Taylor, "Improved regularization of convolutional neural networks with
///                         cutout", 2017)
///     pixel_noise         plus normal numbers of standard deviation `stddev`
///
/// The first five move pixels: in the order of the list they make one map of the plane, to which
/// displacements are added, and the image is resampled once, by bilinear interpolation between
/// pixels and zeros around the image. The others follow in the order of the list.
struct CHAINRULE_API Augmentation {
  enum class Kind {
    random_shift,
    random_flip,
    random_rotation,
    random_zoom,
    elastic_deformation,
    random_brightness,
    cut_out,
    pixel_noise
  };

  Kind kind = Kind::random_shift;
  double x = -1.0;                           // random_shift: a whole number unless subpixel
  std::optional<double> y = {};              // random_shift: likewise; none: x
  bool subpixel = false;                     // random_shift
  bool horizontal = true, vertical = false;  // random_flip
  std::vector<double> degrees = {};          // random_rotation: one number or two
  double low = 0.0, high = 0.0;              // random_zoom
  double sigma = 4.0, alpha = 34.0;          // elastic_deformation
  double factor = -1.0;                      // random_brightness
  std::int64_t size = 0;                     // cut_out
  double stddev = -1.0;                      // pixel_noise
  /// The network's input whose images are changed; none: every input whose rows have the shape of
  /// an image, sequences of numbers among them.
  std::optional<std::string> input = {};

  static Augmentation from_config(const Config& config);
  Config config() const;
  static std::vector<std::string> kinds();

  /// Throws Error when an option is out of its range.
  void check() const;
  /// Whether it says where pixels come from, and not what becomes of their values.
  bool moves_pixels() const { return kind <= Kind::elastic_deformation; }

  bool operator==(const Augmentation&) const = default;
};

/// In the order in which they are applied.
using Augmentations = std::vector<Augmentation>;

/// Whether rows of this shape are images: (height, width) or (height, width, channels).
inline bool is_image(const Shape& shape) { return shape.rank() == 2 || shape.rank() == 3; }

/// What training makes of images in an epoch, counted from 0: y(i), of the size of `shape`, is row
/// i of x augmented as a network with this seed sees row first_row + i of its data, before any
/// layer; `input` plays no part. T is float or double. Throws Error for options out of range,
/// compressed rows, and rows that are no images of this shape.
template <class T>
CHAINRULE_API void augment_images(const Augmentations& augmentations, const RowsView& x,
                                  const Shape& shape, std::uint64_t seed, std::int64_t epoch, T* y,
                                  std::int64_t first_row = 0, int num_threads = 0);

}  // namespace chainrule

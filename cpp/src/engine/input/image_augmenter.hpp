// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/augmentation.hpp"
#include "engine/buffer.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// Those that change the images of the input of this name.
inline Augmentations of_input(const Augmentations& all, const std::string& name) {
  Augmentations own;
  for (const Augmentation& each : all)
    if (each.input.value_or(name) == name) own.push_back(each);
  return own;
}

/// What the random numbers of an image depend on.
struct ImagePlace {
  std::uint64_t seed;
  std::uint64_t epoch;  // counted from 0; below 2^24
  std::int64_t row;     // of the data set; below 2^40
};

/// Augments images of an input, each in its place and by any thread: first where pixels come from,
/// in one resampling, then what becomes of their values.
template <class T>
class ImageAugmenter {
 public:
  /// Throws Error where shape is no image's, or one's too large. input: the number of the network's
  /// input, each of which has random numbers of its own.
  ImageAugmenter(const kernels::KernelTable<T>& kernels, const Augmentations& augmentations,
                 const Shape& shape, std::size_t input, int threads);

  /// image: height x width x channels, with padding behind that may be overwritten
  void augment(T* image, const ImagePlace& place, int thread);

 private:
  /// Two rows of a map of the plane, as ResampleArgs has them, about the centre of the image.
  struct Map {
    double column[3] = {1.0, 0.0, 0.0};
    double row[3] = {0.0, 1.0, 0.0};

    void shift(double right, double down);
    void rotate(double degrees);
    void stretch(double horizontal, double vertical);
  };
  /// What a thread works with.
  struct Workspace {
    Buffer<T> bordered;
    Buffer<std::uint32_t> words;
    Buffer<T> noise, smoothed, column_shifts, row_shifts;
  };
  /// The random numbers of one augmentation of an image.
  struct Draw;

  std::int64_t shift_stride() const { return padded<T>(width_); }
  std::int64_t smoothed_stride() const { return padded<T>(shift_stride() + 2 * most_radius_); }
  void move(Map& map, const Augmentation& a, const Draw& draw) const;
  void displace(std::size_t index, const Draw& draw, Workspace& memory) const;
  void resample(T* image, const Map& map, Workspace& memory) const;
  void change_values(T* image, const Augmentation& a, const Draw& draw) const;

  const kernels::KernelTable<T>& kernels_;
  Augmentations augmentations_;
  std::uint64_t input_;
  std::int64_t height_, width_, channels_;
  bool moves_ = false;      // pixels
  bool displaces_ = false;  // them by fields
  std::int64_t most_radius_ = 0;
  std::vector<Buffer<T>> weights_;  // of each augmentation's Gaussian
  std::vector<Workspace> workspaces_;
};

}  // namespace chainrule::engine

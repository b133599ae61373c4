// SPDX-License-Identifier: Apache-2.0
// An image's random numbers are those of the stream (seed, epoch << 40 | row) from block
// input << 48 | place among those of the input << 32 on.
#include "engine/input/image_augmenter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "chainrule/error.hpp"
#include "chainrule/random.hpp"
#include "engine/input/gather.hpp"
#include "engine/instantiate.hpp"
#include "engine/threads/team.hpp"
#include "engine/threads/thread_count.hpp"
#include "kernels/dispatch.hpp"
#include "model/deterministic_math.hpp"

namespace chainrule {
namespace engine {
namespace {

using AugmentationKind = Augmentation::Kind;

/// cos(pi x) for any x, exact where it is -1, 0 or 1.
double cosine_of_pi(double x) { return model::cos_pi(std::abs(std::remainder(x, 2.0))); }

/// The weights of a Gaussian that ends at 3 sigma, at most `most` pixels away; those that are left
/// out there count in their sum, which is 1.
template <class T>
Buffer<T> gaussian_weights(double sigma, std::int64_t most) {
  const auto all = static_cast<std::int64_t>(std::lround(3.0 * sigma));
  const auto weight = [&](std::int64_t k) {
    const double deviations = static_cast<double>(k) / sigma;
    return model::exp(-0.5 * deviations * deviations);
  };
  double sum = 0.0;
  for (std::int64_t k = -all; k <= all; ++k) sum += weight(k);
  const std::int64_t radius = std::min(all, most);
  Buffer<T> weights(2 * radius + 1);
  for (std::int64_t k = -radius; k <= radius; ++k)
    weights.data()[radius + k] = static_cast<T>(weight(k) / sum);
  return weights;
}

}  // namespace

template <class T>
struct ImageAugmenter<T>::Draw {
  std::uint64_t seed, stream, first_block;
  std::array<std::uint32_t, 4> words =
      random_block(seed, RandomUse::augmentation, stream, first_block);

  /// Uniform in (0, 1), the middle of one of 2^32 cells.
  double uniform(std::size_t i) const { return (static_cast<double>(words[i]) + 0.5) * 0x1p-32; }
  double between(double low, double high, std::size_t i) const {
    return low + (high - low) * uniform(i);
  }
  /// 0..count - 1
  std::int64_t below(std::int64_t count, std::size_t i) const {
    return static_cast<std::int64_t>(uniform(i) * static_cast<double>(count));
  }
};

// A pixel of the changed image comes from where the inverse of the change takes it, so of changes
// one behind the other the last one's inverse is the innermost.
template <class T>
void ImageAugmenter<T>::Map::shift(double right, double down) {
  for (double* m : {column, row}) m[2] -= m[0] * right + m[1] * down;
}

template <class T>
void ImageAugmenter<T>::Map::rotate(double degrees) {
  const double cosine = cosine_of_pi(degrees / 180.0);
  const double sine = cosine_of_pi(degrees / 180.0 - 0.5);
  for (double* m : {column, row}) {
    const double first = m[0] * cosine + m[1] * sine;
    m[1] = m[1] * cosine - m[0] * sine;
    m[0] = first;
  }
}

template <class T>
void ImageAugmenter<T>::Map::stretch(double horizontal, double vertical) {
  for (double* m : {column, row}) {
    m[0] /= horizontal;
    m[1] /= vertical;
  }
}

template <class T>
ImageAugmenter<T>::ImageAugmenter(const kernels::KernelTable<T>& kernels,
                                  const Augmentations& augmentations, const Shape& shape,
                                  std::size_t input, int threads)
    : kernels_(kernels), augmentations_(augmentations), input_(input) {
  if (!is_image(shape))
    throw Error("images have a shape (height, width) or (height, width, channels), got " +
                shape.text());
  height_ = shape.extents()[0];
  width_ = shape.extents()[1];
  channels_ = shape.rank() == 3 ? shape.extents()[2] : 1;
  const auto extent = static_cast<double>(height_ + 3) * static_cast<double>(width_ + 3);
  if (extent * static_cast<double>(channels_) > std::numeric_limits<std::int32_t>::max())
    throw Error("images of shape " + shape.text() + " are too large to be augmented");
  for (const Augmentation& a : augmentations) {
    moves_ |= a.moves_pixels();
    const bool displaces = a.kind == AugmentationKind::elastic_deformation;
    displaces_ |= displaces;
    weights_.push_back(displaces ? gaussian_weights<T>(a.sigma, std::max(height_, width_) - 1)
                                 : Buffer<T>());
    most_radius_ = std::max(most_radius_, weights_.back().size() / 2);
  }
  for (int i = 0; i < threads; ++i) {
    Workspace memory;
    if (moves_) memory.bordered = Buffer<T>((height_ + 3) * (width_ + 3) * channels_);
    if (displaces_) {
      memory.words = Buffer<std::uint32_t>(height_ * width_ + kernels::kMostWords);
      memory.noise = Buffer<T>(height_ * shift_stride());
      memory.smoothed = Buffer<T>(height_ * smoothed_stride());
      memory.column_shifts = Buffer<T>(height_ * shift_stride());
      memory.row_shifts = Buffer<T>(height_ * shift_stride());
    }
    workspaces_.push_back(std::move(memory));
  }
}

template <class T>
void ImageAugmenter<T>::augment(T* image, const ImagePlace& place, int thread) {
  Workspace& memory = workspaces_[static_cast<std::size_t>(thread)];
  const auto draw = [&](std::size_t index) {
    return Draw{place.seed, place.epoch << 40 | static_cast<std::uint64_t>(place.row),
                input_ << 48 | std::uint64_t{index} << 32};
  };
  if (displaces_) {
    memory.column_shifts.clear();
    memory.row_shifts.clear();
  }
  Map map;
  for (std::size_t i = 0; i < augmentations_.size(); ++i) {
    if (augmentations_[i].kind == AugmentationKind::elastic_deformation) {
      displace(i, draw(i), memory);
    } else if (augmentations_[i].moves_pixels()) {
      move(map, augmentations_[i], draw(i));
    }
  }
  if (moves_) resample(image, map, memory);
  for (std::size_t i = 0; i < augmentations_.size(); ++i)
    if (!augmentations_[i].moves_pixels()) change_values(image, augmentations_[i], draw(i));
}

template <class T>
void ImageAugmenter<T>::move(Map& map, const Augmentation& a, const Draw& draw) const {
  const auto shift = [&](double most, std::size_t i) {
    if (a.subpixel) return draw.between(-most, most, i);
    return static_cast<double>(draw.below(2 * static_cast<std::int64_t>(most) + 1, i)) - most;
  };
  const auto flip = [&](bool asked, std::size_t i) {
    return asked && draw.uniform(i) < 0.5 ? -1.0 : 1.0;
  };
  switch (a.kind) {
    case AugmentationKind::random_shift:
      return map.shift(shift(a.x, 0), shift(a.y.value_or(a.x), 1));
    case AugmentationKind::random_flip:
      return map.stretch(flip(a.horizontal, 0), flip(a.vertical, 1));
    case AugmentationKind::random_rotation:
      return map.rotate(
          draw.between(a.degrees.size() == 1 ? -a.degrees[0] : a.degrees[0], a.degrees.back(), 0));
    case AugmentationKind::random_zoom: {
      const double factor = draw.between(a.low, a.high, 0);
      return map.stretch(factor, factor);
    }
    default:
      return;
  }
}

template <class T>
void ImageAugmenter<T>::displace(std::size_t index, const Draw& draw, Workspace& memory) const {
  const Buffer<T>& weights = weights_[index];
  // The zeros before each row end where those for the widest Gaussian do.
  const std::int64_t border = most_radius_ - weights.size() / 2;
  kernels_.displacement({draw.seed, static_cast<std::uint32_t>(RandomUse::augmentation),
                         draw.stream, draw.first_block, height_, width_, weights.data(),
                         weights.size() / 2, static_cast<T>(augmentations_[index].alpha),
                         memory.words.data(), memory.noise.data(), memory.smoothed.data() + border,
                         smoothed_stride(), memory.column_shifts.data(), memory.row_shifts.data(),
                         shift_stride()});
}

// From the map about the centre to one of rows and columns counted from the border's.
template <class T>
void ImageAugmenter<T>::resample(T* image, const Map& map, Workspace& memory) const {
  const double x = 0.5 * static_cast<double>(width_ - 1);
  const double y = 0.5 * static_cast<double>(height_ - 1);
  const auto offset = [&](const double* m, double centre) {
    return static_cast<T>(m[2] - (m[0] * x + m[1] * y) + centre + 1.0);
  };
  const auto of = [](double value) { return static_cast<T>(value); };
  kernels_.resample({height_,
                     width_,
                     channels_,
                     image,
                     {of(map.column[0]), of(map.column[1]), offset(map.column, x)},
                     {of(map.row[0]), of(map.row[1]), offset(map.row, y)},
                     displaces_ ? memory.column_shifts.data() : nullptr,
                     displaces_ ? memory.row_shifts.data() : nullptr,
                     shift_stride(),
                     memory.bordered.data()});
}

// image: height x width x channels
template <class T>
void ImageAugmenter<T>::change_values(T* image, const Augmentation& a, const Draw& draw) const {
  const std::int64_t numbers = height_ * width_ * channels_;
  if (a.kind == AugmentationKind::random_brightness) {
    const auto factor = static_cast<T>(draw.between(1.0 - a.factor, 1.0 + a.factor, 0));
    for (std::int64_t k = 0; k < numbers; ++k) image[k] *= factor;
  } else if (a.kind == AugmentationKind::pixel_noise) {
    kernels_.gaussian_noise({draw.seed, static_cast<std::uint32_t>(RandomUse::augmentation),
                             draw.stream, 0, 1, numbers, draw.first_block},
                            a.stddev, image, image, numbers);
  } else {
    const std::int64_t first_row = draw.below(height_, 0) - a.size / 2;
    const std::int64_t first_column = draw.below(width_, 1) - a.size / 2;
    const std::int64_t left = std::max<std::int64_t>(0, first_column);
    const std::int64_t right = std::min(width_, first_column + a.size);
    for (std::int64_t i = std::max<std::int64_t>(0, first_row);
         i < std::min(height_, first_row + a.size); ++i)
      std::fill(image + (i * width_ + left) * channels_, image + (i * width_ + right) * channels_,
                T(0));
  }
}

#define CHAINRULE_MEMBERS(T) template class ImageAugmenter<T>;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace engine

// Each thread some images, from the caller's array into their places in y.
template <class T>
void augment_images(const Augmentations& augmentations, const RowsView& x, const Shape& shape,
                    std::uint64_t seed, std::int64_t epoch, T* y, std::int64_t first_row,
                    int num_threads) {
  constexpr double kOperations = 50.0;  // of a number, at most, with a small Gaussian
  for (const Augmentation& a : augmentations) a.check();
  if (epoch < 0) throw Error("epoch must be >= 0, got " + std::to_string(epoch));
  if (first_row < 0) throw Error("first_row must be >= 0, got " + std::to_string(first_row));
  if (x.compressed()) throw Error("sparse rows are no images");
  if (x.columns != shape.size())
    throw Error("images of shape " + shape.text() + " have " + std::to_string(shape.size()) +
                " numbers, got rows of " + std::to_string(x.columns));
  const kernels::KernelTable<T>& kernels = kernels::active<T>();
  const int threads =
      engine::threads_for(kOperations * static_cast<double>(shape.size()), x.rows, num_threads);
  engine::ImageAugmenter<T> augmenter(kernels, augmentations, shape, 0, threads);
  std::vector<engine::Buffer<T>> images;  // with padding, of each thread
  images.reserve(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) images.emplace_back(engine::padded<T>(x.columns));
  engine::run_team(threads, [&](engine::Team team) {
    const engine::Range rows = engine::ThreadSlice{team.index, team.size}.range(x.rows);
    T* const image = images[static_cast<std::size_t>(team.index)].data();
    for (std::int64_t i = rows.begin; i < rows.end; ++i) {
      engine::gather_rows<T>(kernels, x, {nullptr, i}, 1, nullptr, nullptr, image, x.columns);
      augmenter.augment(image, {seed, static_cast<std::uint64_t>(epoch), first_row + i},
                        team.index);
      std::copy_n(image, x.columns, y + i * x.columns);
    }
  });
}

#define CHAINRULE_MEMBERS(T)                                                           \
  template void augment_images<T>(const Augmentations&, const RowsView&, const Shape&, \
                                  std::uint64_t, std::int64_t, T*, std::int64_t, int);
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
// Images taken from other places of themselves, and smooth random displacements. Each number is
// worked out in a lane of its own, so that no instruction set changes a bit.
#pragma once

#include "kernels/philox.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"

namespace {

using namespace chainrule::kernels;

/// A vector of pixels of row i from column j on: where they come from, relative to its pixel above
/// and left of there.
template <class T>
struct PixelPlaces {
  Lane<T> offset[kLanes<T>];  // of that pixel in `bordered`
  T right[kLanes<T>], down[kLanes<T>];
};

// Places beyond the border lie on it, where all is zero; one that is no number does too.
template <class T>
CHAINRULE_INLINE PixelPlaces<T> pixel_places(const ResampleArgs<T>& f, int64_t i, int64_t j) {
  const Vec<T> row = broadcast(T(i));
  const Vec<T> column = broadcast(T(j)) + __builtin_convertvector(lane_index<T>(), Vec<T>);
  const auto place = [&](const T(&map)[3], const T* shifts, int64_t extent) {
    Vec<T> at = fma(broadcast(map[0]), column, fma(broadcast(map[1]), row, broadcast(map[2])));
    if (shifts) at = at + load(shifts + i * f.shift_stride + j);
    return min<T>(max<T>(at, Vec<T>{}), broadcast(T(extent + 1)));
  };
  const Vec<T> x = place(f.column_map, f.column_shifts, f.width);
  const Vec<T> y = place(f.row_map, f.row_shifts, f.height);
  const IVec<T> left = __builtin_convertvector(x, IVec<T>);
  const IVec<T> above = __builtin_convertvector(y, IVec<T>);
  const IVec<T> offset = (above * Lane<T>(f.width + 3) + left) * Lane<T>(f.channels);
  const Vec<T> right = x - __builtin_convertvector(left, Vec<T>);
  const Vec<T> down = y - __builtin_convertvector(above, Vec<T>);
  PixelPlaces<T> places;
  __builtin_memcpy(places.offset, &offset, sizeof(offset));
  store(places.right, right);
  store(places.down, down);
  return places;
}

/// image, y: `count` pixels; channels: kChannels, or any number of them where that is 0
template <class T, int kChannels>
CHAINRULE_INLINE void interpolate(const ResampleArgs<T>& f, const PixelPlaces<T>& places,
                                  int64_t count, T* y) {
  const int64_t channels = kChannels > 0 ? kChannels : f.channels;
  const int64_t below = (f.width + 3) * channels;
  for (int64_t k = 0; k < count; ++k) {
    const T* p = f.bordered + places.offset[k];
    for (int64_t c = 0; c < channels; ++c, ++p) {
      const T upper = p[0] + places.right[k] * (p[channels] - p[0]);
      const T lower = p[below] + places.right[k] * (p[below + channels] - p[below]);
      y[k * channels + c] = upper + places.down[k] * (lower - upper);
    }
  }
}

template <class T>
void resample(const ResampleArgs<T>& f) {
  const int64_t row = f.width * f.channels;
  for (int64_t i = 0; i < f.height; ++i) {
    T* const to = f.bordered + ((i + 1) * (f.width + 3) + 1) * f.channels;
    for (int64_t k = 0; k < row; ++k) to[k] = f.image[i * row + k];
  }
  for (int64_t i = 0; i < f.height; ++i) {
    for (int64_t j = 0; j < f.width; j += kLanes<T>) {
      const PixelPlaces<T> places = pixel_places(f, i, j);
      const int64_t count = f.width - j < kLanes<T> ? f.width - j : kLanes<T>;
      T* const y = f.image + (i * f.width + j) * f.channels;
      if (f.channels == 1) {
        interpolate<T, 1>(f, places, count, y);
      } else {
        interpolate<T, 0>(f, places, count, y);
      }
    }
  }
}

/// For kVectors vectors of j: the sum over k < terms, in order, of weights(k) x(j + k step).
template <int kVectors, class T, class Put>
CHAINRULE_INLINE void weighted_sums(const T* weights, int64_t terms, const T* x, int64_t step,
                                    const Put& put) {
  Vec<T> sums[kVectors] = {};
  for (int64_t k = 0; k < terms; ++k) {
    const Vec<T> weight = broadcast(weights[k]);
    for (int v = 0; v < kVectors; ++v)
      sums[v] = fma(weight, load(x + k * step + v * kLanes<T>), sums[v]);
  }
  for (int v = 0; v < kVectors; ++v) put(v * kLanes<T>, sums[v]);
}

/// The same for all j < width: put(j, sums) for each vector.
template <class T, class Put>
CHAINRULE_INLINE void weighted_row(const T* weights, int64_t terms, const T* x, int64_t step,
                                   int64_t width, const Put& put) {
  int64_t j = 0;
  const auto put_behind = [&](int64_t at, Vec<T> sums) { put(j + at, sums); };
  for (; j + 3 * kLanes<T> < width; j += 4 * kLanes<T>)
    weighted_sums<4>(weights, terms, x + j, step, put_behind);
  for (; j < width; j += kLanes<T>) weighted_sums<1>(weights, terms, x + j, step, put_behind);
}

/// One of the two fields, of 16 bits of each word: smoothed down the columns, then along the rows.
/// Rows that lie outside the image are left out: they are zero.
template <class T>
CHAINRULE_INLINE void add_displacement(const DisplacementArgs<T>& f, int bit, T* shifts) {
  for (int64_t i = 0; i < f.height; ++i) {
    T* const to = f.noise + i * f.stride;
    const uint32_t* words = f.words + i * f.width;
    for (int64_t j = 0; j < f.width; ++j)
      to[j] = (T(int32_t(words[j] >> bit & 0xffffu)) + T(0.5)) * T(0x1p-15) - T(1);
  }
  for (int64_t i = 0; i < f.height; ++i) {
    const int64_t first = f.radius > i ? f.radius - i : 0;
    const int64_t below = f.height - 1 - i;
    const int64_t last = f.radius + (below < f.radius ? below : f.radius);
    T* const to = f.smoothed + i * f.smoothed_stride + f.radius;
    // From the row of the first term on, so that no pointer lies outside.
    weighted_row(f.weights + first, last - first + 1, f.noise + (i + first - f.radius) * f.stride,
                 f.stride, f.width, [&](int64_t j, Vec<T> sums) { store(to + j, sums); });
  }
  for (int64_t i = 0; i < f.height; ++i) {
    T* const to = shifts + i * f.stride;
    const auto add = [&](int64_t j, Vec<T> sums) {
      store(to + j, fma(broadcast(f.factor), sums, load(to + j)));
    };
    weighted_row(f.weights, 2 * f.radius + 1, f.smoothed + i * f.smoothed_stride, int64_t(1),
                 f.width, add);
  }
}

template <class T>
void displacement(const DisplacementArgs<T>& f) {
  const int64_t pixels = f.height * f.width;
  for (int64_t first = 0; first < pixels; first += 4 * kWords) {
    const PhiloxBlock block =
        random_blocks(f.seed, f.use, f.stream, f.first_block + uint64_t(first / 4));
    uint64_t words[4][kWords];
    __builtin_memcpy(words, &block, sizeof(words));
    for (int i = 0; i < kWords; ++i)
      for (int w = 0; w < 4; ++w) f.words[first + 4 * i + w] = uint32_t(words[w][i]);
  }
  add_displacement(f, 16, f.column_shifts);
  add_displacement(f, 0, f.row_shifts);
}

}  // namespace

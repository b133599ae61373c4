// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "engine/memory.hpp"
#include "engine/sizes.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// `columns` rounded up to kRowAlignment.
template <class T>
constexpr std::int64_t padded(std::int64_t columns) {
  return (columns + kernels::kRowAlignment<T> - 1) / kernels::kRowAlignment<T> *
         kernels::kRowAlignment<T>;
}

/// The stride of every row-major tensor: padded, and with kRowAlignment more where
/// strides of a power of two would map the rows to a few sets of a cache.
template <class T>
constexpr std::int64_t row_stride(std::int64_t columns) {
  const std::int64_t stride = padded<T>(columns);
  return stride % (8 * kernels::kRowAlignment<T>) == 0 ? stride + kernels::kRowAlignment<T>
                                                       : stride;
}

/// A zeroed array aligned to a cache line, and from 2 MiB on to a large page. Zeros matter: the
/// padding of tensors and arenas is read by kernels, and gradients rely on it.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::int64_t size) : size_(size) {
    if (size > 0) {
      data_ = static_cast<T*>(allocate(
          static_cast<std::size_t>(checked_product(size, static_cast<std::int64_t>(sizeof(T))))));
    }
  }
  Buffer(const Buffer& other) : Buffer(other.size_) {
    if (size_ > 0) std::memcpy(data_, other.data_, bytes());
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() {
    if (data_) release(data_, bytes());
  }

  void clear() {
    if (size_ > 0) std::memset(static_cast<void*>(data_), 0, bytes());
  }
  /// Both for buffers of the same size, without allocation.
  void swap_numbers(Buffer& other) { std::swap_ranges(data_, data_ + size_, other.data_); }
  void copy_from(const Buffer& other) { std::copy_n(other.data_, size_, data_); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * sizeof(T); }
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  T* data_ = nullptr;
  std::int64_t size_ = 0;
};

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "engine/buffer.hpp"
#include "engine/stages/stage.hpp"

namespace chainrule::engine {

/// A tensor that needs memory from the moment `from`, when it is first written to, to the moment
/// `to`, when it is last read.
template <class T>
struct TensorLife {
  Tensor<T>* tensor;
  std::int64_t from;
  std::int64_t to;
};

/// Memory of a plan's tensors. One whose last reader is done hands its buffer on to a later tensor
/// of the same columns and positions, whose rows each thread then owns as it owned those before, so
/// that no barrier is needed between the two. A tensor says itself of how many rows it has memory.
template <class T>
class TensorMemory {
 public:
  explicit TensorMemory(std::int64_t batch_size) : batch_size_(batch_size) {}

  /// Gives these tensors memory, each when the moments come to it; those of one moment in their
  /// order. Of a gradient the padding is zero, which the next one relies on.
  void provide(const std::vector<TensorLife<T>>& lives) {
    // A block is free for a life once the one before is over: a life that begins at the moment at
    // which another ends does not take its block, since a stage may read the one and write the
    // other.
    std::vector<std::size_t> order(lives.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(lives[a].from, a) < std::pair(lives[b].from, b);
    });
    for (const std::size_t i : order) lives[i].tensor->data = take(lives[i]);
  }

 private:
  struct Block {
    std::int64_t columns;
    std::int64_t positions;
    std::int64_t rows;
    std::int64_t free_after;
    Buffer<T> buffer;
  };

  /// The first block of these columns, positions and rows that is free when the life begins, or a
  /// new one of padded rows: (batch size x positions) where the tensor has all.
  T* take(const TensorLife<T>& life) {
    const Tensor<T>& tensor = *life.tensor;
    const std::int64_t rows =
        padded<T>(tensor.block > 0 ? tensor.block : checked_product(batch_size_, tensor.positions));
    for (Block& block : blocks_) {
      if (block.free_after >= life.from || block.columns != tensor.columns ||
          block.positions != tensor.positions || block.rows != rows)
        continue;
      block.free_after = life.to;
      return block.buffer.data();
    }
    blocks_.push_back({tensor.columns, tensor.positions, rows, life.to,
                       Buffer<T>(rows * row_stride<T>(tensor.columns))});
    return blocks_.back().buffer.data();
  }

  std::int64_t batch_size_;
  std::vector<Block> blocks_;
};

}  // namespace chainrule::engine

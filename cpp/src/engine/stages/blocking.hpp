// SPDX-License-Identifier: Apache-2.0
// How a dense layer's product and its two gradients are cut up. All three read the one copy of the
// weights that there is, in column panels (kernels/layout.hpp), and are tiles of one microkernel
// (kernels/multiply.hpp), whose sums stay in registers:
//
//   forward    y(r, u) = b(u) + sum over i of x(r, i) W(i, u)
//
//           inputs           panel 0   panel 1   panel 2            units
//          +-------+         +------+  +------+  +----+         +------+------+----+
//     rows |   x   |  inputs |  W   |  |  W   |  | W  |    rows |      |      |    |
//          |#######|         |      |  |######|  |    |         |  y   |#tile#|    |
//          |       |         |      |  |      |  |    |         |      |      |    |
//          +-------+         +------+  +------+  +----+         +------+------+----+
//
//   Threads own rows of y, or panels of it:
//
//     Partition::rows                  Partition::columns
//          +------+------+----+             +------+------+----+
//     rows |      thread 0    |        rows |      |      |    |
//          +------+------+----+             | thr. | thr. | 2  |
//          |      thread 1    |             |  0   |  1   |    |
//          +------+------+----+             +------+------+----+
//
//   With the latter a thread reads in the forward pass just the panels that it has updated in the
//   step before, which then lie in its own cache. Of a panel between two threads each has some
//   rows.
//
//   backward   dx(r, i) = sum over u of dy(r, u) W(i, u)
//
//   Threads own rows. Vectors run along the batch, so dy is first transposed to panels of
//   [units][rows of a panel] (dy_panels_), and tiles of dx are transposed back in a scratch.
//
//   gradients  dW(i, u) = sum over r of x(r, i) dy(r, u)
//
//   Threads share the pieces (chunk of inputs) x (panel) of dW. A piece goes from registers to the
//   scratch, and from there at once into the optimizer's update of the same piece of W, so dW as a
//   whole is never in memory unless the step asks for it.
//
//          panel 0   panel 1   panel 2
//          +------+  +------+  +----+
//          | t. 0 |  | t. 0 |  |t. 1|   a chunk of inputs
//          +------+  +------+  +----+
//          | t. 0 |  | t. 0 |  |t. 1|   the next chunk
//          +------+  +------+  +----+
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/cache.hpp"

namespace chainrule::engine {

/// What the kernels work on at a time, so that the operands that they use over and over stay in a
/// cache. Measured: twice or half of any of these costs a few percent at most, but for twice of
/// gradient_batch, which costs up to a sixth.
struct Blocking {
  std::int64_t forward_inputs;    // rows of a panel of W that half of L2 holds
  std::int64_t gradient_inputs;   // of dW, at once used by the optimizer
  std::int64_t gradient_batch;    // rows of which L1 holds what a strip of dW reads
  std::int64_t backward_inputs;   // of dx, before they are transposed
  std::int64_t backward_columns;  // of W, the stride of whose panels is often a power of two
  std::int64_t group;             // panels of dy that use the same other operand one after another

  template <class T>
  static Blocking of(std::int64_t inputs, std::int64_t units, std::int64_t batch,
                     std::int64_t panel, std::int64_t threads) {
    const std::int64_t bytes = panel * std::int64_t{sizeof(T)};
    const std::int64_t group = std::max<std::int64_t>(1, kGroupBytes / bytes);
    const std::int64_t groups_of_l2 = cache_sizes().l2 / kGroupBytes;
    const std::int64_t chunk = std::max(kShortChunk, groups_of_l2 / 16 / kShortChunk * kShortChunk);
    // A quarter of a thread's share of dW, as rows of a panel: pieces are no longer, to go up
    // evenly in threads, and where it is little they are as short as two tiles.
    const std::int64_t panels = (units + panel - 1) / panel;
    const std::int64_t quarter = inputs * panels / threads / 4;
    const std::int64_t unit = threads > 1 && quarter < kShortChunk ? kShortestChunk : kShortChunk;
    return {equal_parts(inputs, cache_sizes().l2 / bytes / 2, 1),
            equal_parts(inputs, std::min(chunk, std::max(unit, quarter)), unit),
            equal_parts(batch, cache_sizes().l1 / kGradientRowBytes, kTermsInRound),
            equal_parts(inputs, chunk, kShortChunk),
            equal_parts(units, kCacheWays * panel, panel),
            group};
  }

  static constexpr std::int64_t kShortChunk = 48;     // whole tiles on every instruction set
  static constexpr std::int64_t kShortestChunk = 12;  // two tiles of most
  static constexpr std::int64_t kTermsInRound = 4;    // of kernels/multiply.hpp's loops
  static constexpr std::int64_t kGroupBytes = 256;
  static constexpr std::int64_t kGradientRowBytes = 768;  // lines of x and dy, and room for more
  static constexpr std::int64_t kCacheWays = 8;

  /// How many rows of one panel's width a thread needs for intermediate values.
  std::int64_t scratch_rows(std::int64_t sparse_panels) const {
    return std::max({gradient_inputs, group * backward_inputs, sparse_panels * kShortChunk});
  }
};

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "engine/stages/stage.hpp"

namespace chainrule::engine {

/// The rows of a weight matrix that the update of a sparse batch has to visit: those of inputs with
/// nonzeros, and others where the optimizer demands it.
class ActiveRows {
 public:
  /// `begin` is that of the batch's entries by column; without an update all rows are active.
  template <class T>
  ActiveRows(const Update<T>* update, const Parameter& weight, const std::int32_t* begin)
      : begin_(begin) {
    if (!update) return;
    const ZeroGradient rule = zero_gradient<T>(*update->optimizer, weight.spec);
    nonzero_state_ =
        rule == ZeroGradient::skips_if_state_zero ? update->nonzero_state->of(weight) : nullptr;
    all_ = rule != ZeroGradient::skips && !nonzero_state_;
  }

  /// The first run of them in `inputs`, at most so long; empty if there are none.
  Range first_run(Range inputs, std::int64_t longest) const {
    // Most inputs of wide tables have no entries.
    constexpr std::int64_t together = 8;
    std::int64_t begin = inputs.begin;
    while (begin + together <= inputs.end && skips(begin, together)) begin += together;
    while (begin < inputs.end && skips(begin, 1)) ++begin;
    Range run{begin, begin};
    const std::int64_t most = std::min(inputs.end, begin + longest);
    while (run.end < most && !skips(run.end, 1)) ++run.end;
    return run;
  }

  /// Records that inputs have entries. No thread reads the record of these in the same step, so
  /// that threads which share all inputs out need no barrier.
  template <class T>
  static void record(const Update<T>& update, const Parameter& weight, const std::int32_t* begin,
                     Range inputs) {
    std::uint8_t* nonzero_state = update.nonzero_state->of(weight);
    if (!nonzero_state) return;
    for (std::int64_t j = inputs.begin; j < inputs.end; ++j) {
      if (begin[j] != begin[j + 1]) nonzero_state[j] = 1;
    }
  }

 private:
  bool skips(std::int64_t input, std::int64_t count) const {
    if (all_ || begin_[input] != begin_[input + count]) return false;
    return !nonzero_state_ || std::all_of(nonzero_state_ + input, nonzero_state_ + input + count,
                                          [](std::uint8_t row) { return row == 0; });
  }

  const std::int32_t* begin_;
  const std::uint8_t* nonzero_state_ = nullptr;
  bool all_ = true;
};

/// The ranges of active rows within `inputs`, each together with a later one to prefetch.
class ActiveRowRanges {
 public:
  ActiveRowRanges(const ActiveRows& active, Range inputs, std::int64_t longest)
      : active_(active), end_(inputs.end), longest_(longest) {
    runs_.back().end = inputs.begin;
    for (std::size_t i = 0; i < runs_.size(); ++i) advance();
  }

  bool done() const { return run().size() == 0; }
  Range run() const { return runs_.front(); }
  /// Far enough behind for its weights to arrive from memory in the meantime; empty near the end.
  Range prefetch() const { return runs_.back(); }
  void advance() {
    const std::int64_t from = runs_.back().end;
    std::move(runs_.begin() + 1, runs_.end(), runs_.begin());
    runs_.back() = active_.first_run({from, end_}, longest_);
  }

 private:
  ActiveRows active_;
  std::int64_t end_;
  std::int64_t longest_;
  std::array<Range, 5> runs_{};
};

/// What the gradients of inputs cost, for threads to share them out evenly: few of them often have
/// most entries. An input costs as much as an entry even if it has none.
struct InputCosts {
  const std::int32_t* begin;  // of the batch's entries by column
  std::int64_t inputs;

  std::int64_t total() const { return begin[inputs] + inputs; }
  /// The first input before which all cost so much.
  std::int64_t input_at(std::int64_t cost) const {
    Range range{0, inputs};
    while (range.size() > 0) {
      const std::int64_t middle = range.begin + range.size() / 2;
      if (begin[middle] + middle < cost) {
        range.begin = middle + 1;
      } else {
        range.end = middle;
      }
    }
    return range.begin;
  }
};

}  // namespace chainrule::engine

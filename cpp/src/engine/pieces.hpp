// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "chainrule/callback.hpp"
#include "engine/threads/core_shortage.hpp"
#include "engine/threads/occupancy.hpp"
#include "engine/threads/team.hpp"

namespace chainrule::engine {

/// Runs `piece(team, first, end)` over all rows, in pieces of whole batches that take about
/// CoreShortage::piece_length each, so that between two of them the team can change its size and,
/// every 50 ms, `poll` can be called. What little work there is goes in one piece. `work` is that
/// of a row, in multiply-adds.
template <class Piece>
void run_in_pieces(std::int64_t rows, std::int64_t batch, double work, int threads,
                   const Occupancy& occupancy, const Callback<void()>& poll, const Piece& piece) {
  using Clock = CoreShortage::Clock;
  using Seconds = std::chrono::duration<double>;
  // A slow core's work of 20 ms; how fast this one is shows then. A piece grows 16 times at most,
  // since a short one tells little of the next.
  constexpr double first_piece = 2e7;
  constexpr double growth = 16.0;
  const auto whole_batches = [&](double wanted) {
    const double limited = std::clamp(wanted, 1.0, static_cast<double>(rows));
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(limited) / batch) * batch;
  };
  std::int64_t size = whole_batches(first_piece / work);
  const Clock::time_point start = size < rows ? Clock::now() : Clock::time_point{};
  Clock::time_point begun = start;
  Clock::time_point polled = start;
  for (std::int64_t first = 0;;) {
    const std::int64_t end = std::min(rows, first + size);
    run_piece(threads, [&](Team team) { piece(team, first, end); });
    if (end == rows) return;
    first = end;
    const Clock::time_point now = Clock::now();
    const double slice = Seconds(CoreShortage::piece_length) / Seconds(now - begun);
    size = whole_batches(static_cast<double>(size) * std::min(growth, slice));
    begun = now;
    if (!poll || now - polled < std::chrono::milliseconds(50)) continue;
    // The poll is the caller's code, and its time counts neither for a piece nor for the wait.
    const Occupancy::CallingBack within(occupancy);
    poll();
    begun = polled = Clock::now();
  }
}

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "engine/input/row_order.hpp"
#include "engine/network_state.hpp"
#include "engine/threads/team.hpp"

namespace chainrule {

/// The rows that reach a layer: those of x, run through the layers before it, on one thread, so
/// that what is summed over them has one order. With a list of rows, x is one piece, which has them
/// all.
template <class T>
class Network<T>::State::LayerRows {
 public:
  LayerRows(State& state, std::int64_t layer, const RowPieces& x,
            std::span<const std::int64_t> list)
      : state_(state),
        layer_(layer),
        node_(state.graph.node(state.graph.layer_node_index(layer))),
        x_(x),
        list_(list),
        plan_(state.kernels, state.graph, state.parameters,
              {.batch_size = kRows,
               .result_nodes = {node_.inputs.front()},
               .occupancy = &state.occupancy}) {
    plan_.refresh();
  }

  std::int64_t layer() const { return layer_; }
  std::int64_t columns() const { return read().shape.columns(); }
  std::int64_t positions() const { return read().shape.positions(); }
  /// Whether the first layer reads the caller's numbers as they are.
  bool reads_input() const { return layer_ == 0 && !read().layer && read().shape.rank() == 1; }
  /// The rows of a piece that count.
  engine::RowList rows_of(const Inputs& piece) const { return {list_, piece.rows()}; }

  /// Calls visit(piece) for all of x, which the caller's code may be giving meanwhile.
  template <class Visit>
  void pass(const Visit& visit) {
    const engine::Occupancy::CallingBack calling(state_.occupancy);
    x_([&](const Inputs& piece) {
      state_.check_table(piece);
      visit(piece);
    });
  }

  /// Throws Error where a number is not finite, or is missing and may not be.
  void check_numbers(const Inputs& piece) const {
    for (std::size_t i = 0; i < piece.size(); ++i)
      check_finite<T>(piece[i], state_.input_name(i).c_str(), {}, state_.missing_columns[i]);
  }

  /// Calls visit(numbers: columns) for each position of each row of a piece, as it reaches the
  /// layer.
  template <class Visit>
  void each_position(const Inputs& piece, const Visit& visit) {
    plan_.choose_path(piece, InputSparsity::dense);
    const engine::RowList part = rows_of(piece);
    engine::run_team(1, [&](engine::Team team) {
      engine::ThreadContext context(team);
      for (std::int64_t first = 0; first < part.count; first += kRows) {
        engine::Step<T> step;
        step.rows = std::min(kRows, part.count - first);
        plan_.load(context, step, piece, part.from(first));
        plan_.forward(context, step);
        for (std::int64_t i = 0; i < step.rows; ++i)
          for (std::int64_t p = 0; p < positions(); ++p)
            visit(plan_.result().row(i) + p * columns());
      }
    });
    plan_.calls().rethrow();
  }

 private:
  static constexpr std::int64_t kRows = 256;  // at a time

  const Node& read() const { return state_.graph.node(node_.inputs.front()); }

  State& state_;
  std::int64_t layer_;
  const Node& node_;
  const RowPieces& x_;
  std::span<const std::int64_t> list_;
  engine::Plan<T> plan_;
};

}  // namespace chainrule

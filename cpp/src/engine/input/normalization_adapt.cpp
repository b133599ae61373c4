// SPDX-License-Identifier: Apache-2.0
// Normalization layers take their statistics from data.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "chainrule/layers.hpp"
#include "engine/input/column_statistics.hpp"
#include "engine/input/gather.hpp"
#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"
#include "engine/stages/affine.hpp"
#include "engine/threads/team.hpp"

namespace chainrule {

namespace {

constexpr std::int64_t kRows = 256;  // at a time

}  // namespace

// values: those of all Normalization layers, array after array, with their padding.
template <class T>
typename Network<T>::State::Statistics Network<T>::State::statistics() const {
  Statistics now{unadapted, {}, parameters.exact_mean()};
  for (const engine::Parameter& p : parameters.list()) {
    if (layers[static_cast<std::size_t>(p.layer)]->kind() != "normalization") continue;
    const T* values = parameters.at(&p);
    now.values.insert(now.values.end(), values, values + p.size);
  }
  return now;
}

/// Puts back what statistics() gave. It allocates nothing, since it may run where an exception is
/// on its way. A forward pass by hand before it was of other statistics.
template <class T>
void Network<T>::State::set_statistics(Statistics& statistics) noexcept {
  const T* values = statistics.values.data();
  for (const engine::Parameter& p : parameters.list()) {
    if (layers[static_cast<std::size_t>(p.layer)]->kind() != "normalization") continue;
    std::copy_n(values, p.size, parameters.at(&p));
    values += p.size;
  }
  parameters.set_exact_mean(std::move(statistics.exact_mean));
  unadapted.swap(statistics.unadapted);
  backprop.forward_step.reset();
}

namespace {

/// What a Normalization is adapted to.
struct ColumnScales {
  std::vector<double> centers;
  std::vector<double> spreads;  // variances, or scales
  std::vector<double> exact;    // centers with the digits that T has not; empty: it has all
};

/// Throws Error unless T can represent the spread of a column, which `name` says what it is.
template <class T>
void check_spread(double spread, const char* name, std::size_t column) {
  const bool large = !std::isfinite(static_cast<T>(spread));
  if (!large && (spread <= 0.0 || static_cast<T>(spread) != T(0))) return;
  char text[32];
  std::snprintf(text, sizeof(text), "%g", spread);
  throw Error(std::string("the ") + name + " of column " + std::to_string(column) + " of x, " +
              text + ", is too " + (large ? "large" : "small") + " for the network's precision");
}

/// The interquartile range of a column; where that is 0, half of its range.
template <class T>
double robust_scale(engine::ColumnQuantiles<T>& numbers, std::size_t j) {
  const double middle = numbers.quantile(j, 0.75) - numbers.quantile(j, 0.25);
  return middle > 0.0 ? middle : (numbers.quantile(j, 1.0) - numbers.quantile(j, 0.0)) / 2.0;
}

/// Moves the centers of columns to `exact`, where they are so large beside the spread that T has
/// not the digits. `factor` is what the differences are divided by.
template <class T, class Factor>
void take_exact(ColumnScales& scales, std::size_t j, double center, double spread,
                const Factor& factor) {
  if (!engine::AffineStage<T>::is_wide(center / factor(spread))) return;
  if (scales.exact.empty())
    for (const double c : scales.centers) scales.exact.push_back(static_cast<T>(c));
  scales.centers[j] = scales.exact[j] = center;
  scales.spreads[j] = spread;
}

}  // namespace

// x: pieces of rows x inputs, read twice where moments are asked for: for means and for variances
// about them, which keeps the digits that a sum of squares would lose; quantiles keep the numbers.
// What counts is what reaches the layer, so the rows run through the layers before it, on one
// thread, so that the sums have one order. With a list of rows, x is one piece, which has them all.
template <class T>
void Network<T>::State::adapt(std::int64_t layer, const RowPieces& x,
                              std::span<const std::int64_t> list) {
  State& s = *this;
  const bool known = layer >= 0 && layer < static_cast<std::int64_t>(layers.size());
  const auto* described =
      known ? dynamic_cast<const Normalization*>(&*layers[static_cast<std::size_t>(layer)])
            : nullptr;
  if (!described)
    throw Error("layer " + std::to_string(layer) + " has no mean and variance to adapt");
  const bool robust = described->method == Normalization::Method::robust;
  const engine::Parameter* center = s.parameters.find(layer, robust ? "center" : "mean");
  const engine::Parameter* spread = s.parameters.find(layer, robust ? "scale" : "variance");
  const Node& node = s.graph.node(s.graph.layer_node_index(layer));
  engine::Plan<T> plan(
      s.kernels, s.graph, s.parameters,
      {.batch_size = kRows, .result_nodes = {node.inputs.front()}, .occupancy = &s.occupancy});
  const Node& read = s.graph.node(node.inputs.front());
  const bool reads_input = !read.layer && node.shape.rank() == 1;
  plan.refresh();
  const auto columns = static_cast<std::size_t>(center->shape.columns);
  const std::int64_t positions = node.shape.positions();
  std::int64_t rows = 0;
  bool exactly = false;
  // visit(row: columns) for each position of each row of a piece, as it reaches the layer
  const auto each_row = [&](const Inputs& piece, const auto& visit) {
    plan.choose_path(piece, InputSparsity::dense);
    const engine::RowList part(list, piece.rows());
    engine::run_team(1, [&](engine::Team team) {
      engine::ThreadContext context(team);
      for (std::int64_t first = 0; first < part.count; first += kRows) {
        engine::Step<T> step;
        step.rows = std::min(kRows, part.count - first);
        plan.load(context, step, piece, part.from(first));
        plan.forward(context, step);
        for (std::int64_t i = 0; i < step.rows; ++i)
          for (std::int64_t p = 0; p < positions; ++p)
            visit(plan.result().row(i) + p * static_cast<std::int64_t>(columns));
      }
    });
    plan.calls().rethrow();
  };
  // visit(piece) for all rows of x, which the caller's code may be giving meanwhile
  const auto pass = [&](const auto& visit) {
    const engine::Occupancy::CallingBack calling(s.occupancy);
    x([&](const Inputs& piece) {
      s.check_table(piece);
      visit(piece);
    });
  };
  // NaN and infinity are looked for in the first pass alone.
  const auto check_first = [&](const Inputs& piece) {
    for (std::size_t i = 0; i < piece.size(); ++i)
      check_finite<T>(piece[i], s.input_name(i).c_str(), {}, s.missing_columns[i]);
    if (rows == 0)
      // A layer that reads the caller's doubles directly keeps the digits that float32 has not.
      exactly = reads_input && layer == 0 && sizeof(T) == 4 && piece.size() == 1 &&
                engine::has_more_digits(piece[0].type);
  };
  ColumnScales scales;
  if (robust) {
    engine::ColumnQuantiles<T> numbers(columns);
    engine::ColumnQuantiles<double> doubles(columns);
    pass([&](const Inputs& piece) {
      check_first(piece);
      const engine::RowList part(list, piece.rows());
      rows += part.count * positions;
      if (exactly) {
        doubles.reserve(part.count);
        engine::for_each_number(piece[0], part,
                                [&](std::size_t j, double v) { doubles.add(j, v); });
        return;
      }
      numbers.reserve(part.count * positions);
      each_row(piece, [&](const T* row) {
        for (std::size_t j = 0; j < columns; ++j) numbers.add(j, row[j]);
      });
    });
    // A column without numbers gets centre 0 and scale 0.
    const auto take = [&](auto& kept) {
      for (std::size_t j = 0; j < columns; ++j) {
        const bool any = !kept.empty(j);
        scales.centers.push_back(any ? kept.quantile(j, 0.5) : 0.0);
        scales.spreads.push_back(any ? robust_scale(kept, j) : 0.0);
      }
    };
    exactly ? take(doubles) : take(numbers);
    for (std::size_t j = 0; exactly && j < columns; ++j)
      take_exact<T>(scales, j, scales.centers[j], scales.spreads[j],
                    [](double scale) { return scale > 0.0 ? scale : HUGE_VAL; });
  } else {
    engine::Moments moments(columns);
    engine::ExactMoments exact_moments;
    pass([&](const Inputs& piece) {
      check_first(piece);
      each_row(piece, [&](const T* row) {
        for (std::size_t j = 0; j < columns; ++j) moments.add_to_mean(j, row[j]);
        ++rows;
      });
      if (exactly) exact_moments.add_to_means(piece[0], {list, piece.rows()});
    });
    moments.divide_means();
    exact_moments.divide_means();
    std::int64_t again = 0;
    if (rows > 0)
      pass([&](const Inputs& piece) {
        each_row(piece, [&](const T* row) {
          for (std::size_t j = 0; j < columns; ++j) moments.add_to_variance(j, row[j]);
          ++again;
        });
        if (exactly) exact_moments.add_to_variances(piece[0], {list, piece.rows()});
      });
    if (again != rows)
      throw Error("x gave " + std::to_string(rows) + " rows, and " + std::to_string(again) +
                  " when it was read again");
    moments.divide_variances();
    scales.centers = std::move(moments.means);
    scales.spreads = std::move(moments.variances);
    if (exactly) {
      // Of ordinary columns these would be the same but for what rounding does to them.
      const engine::Moments& exact = exact_moments.finished();
      for (std::size_t j = 0; j < columns; ++j)
        take_exact<T>(scales, j, exact.means[j], exact.variances[j],
                      [](double variance) { return variance > 0.0 ? std::sqrt(variance) : 1.0; });
    }
  }
  if (rows == 0) throw Error("x is empty: it has 0 rows");
  const std::vector<bool> chosen = described->normalized(static_cast<std::int64_t>(columns));
  for (std::size_t j = 0; j < columns; ++j) {
    if (chosen[j]) {
      check_spread<T>(scales.spreads[j], robust ? "scale" : "variance", j);
      continue;
    }
    scales.centers[j] = 0.0;
    scales.spreads[j] = 1.0;
    if (!scales.exact.empty()) scales.exact[j] = 0.0;
  }
  // All checks are behind: from here on nothing throws, so the layer changes as a whole.
  if (layer == 0) s.parameters.set_exact_mean({});
  for (std::size_t j = 0; j < columns; ++j) {
    s.parameters.at(center)[j] = static_cast<T>(scales.centers[j]);
    s.parameters.at(spread)[j] = static_cast<T>(scales.spreads[j]);
  }
  if (layer == 0) s.parameters.set_exact_mean(std::move(scales.exact));
  std::erase(s.unadapted, layer);
  s.forget_passes();
}

namespace {

/// Rows in memory are one piece.
RowPieces one_piece(const Inputs& x) {
  return [&x](const Callback<void(const Inputs&)>& each) { each(x); };
}

}  // namespace

// The layers in the order of the graph, all of them or none.
template <class T>
void Network<T>::State::adapt(const std::vector<std::int64_t>& chosen, const RowPieces& x,
                              std::span<const std::int64_t> rows) {
  if (chosen.empty()) return;
  Statistics before = statistics();
  try {
    // Each takes its statistics from what the ones before it make of x.
    for (const std::int64_t layer : chosen) adapt(layer, x, rows);
  } catch (...) {
    set_statistics(before);
    throw;
  }
  statistics_before = std::move(before);
}

template <class T>
void Network<T>::adapt(std::int64_t layer, const Inputs& x) {
  const engine::Changing guard(*state_);
  state_->adapt(std::vector{layer}, one_piece(x));
}

template <class T>
void Network<T>::adapt(const Inputs& x) {
  adapt(one_piece(x));
}

template <class T>
void Network<T>::adapt(const RowPieces& x) {
  const engine::Changing guard(*state_);
  state_->adapt(state_->normalizations(), x);
}

template <class T>
bool Network<T>::adapt_remaining(const RowPieces& x) {
  const engine::Changing guard(*state_);
  const std::vector<std::int64_t> chosen = state_->unadapted;
  state_->adapt(chosen, x);
  return !chosen.empty();
}

template <class T>
bool Network<T>::adapt_remaining(const Inputs& x, std::span<const std::int64_t> rows) {
  engine::check_row_numbers(rows, x.rows(), "rows");
  const engine::Changing guard(*state_);
  const std::vector<std::int64_t> chosen = state_->unadapted;
  state_->adapt(chosen, one_piece(x), rows);
  return !chosen.empty();
}

template <class T>
void Network<T>::undo_adaptation() {
  const engine::Changing guard(*state_);
  if (!state_->statistics_before) throw StateError("there is no adaptation to undo");
  state_->set_statistics(*state_->statistics_before);
  state_->statistics_before.reset();
}

#define CHAINRULE_MEMBERS(T)                                                                 \
  template void Network<T>::State::adapt(std::int64_t, const RowPieces&,                     \
                                         std::span<const std::int64_t>);                     \
  template void Network<T>::State::adapt(const std::vector<std::int64_t>&, const RowPieces&, \
                                         std::span<const std::int64_t>);                     \
  template void Network<T>::adapt(std::int64_t, const Inputs&);                              \
  template void Network<T>::adapt(const Inputs&);                                            \
  template void Network<T>::adapt(const RowPieces&);                                         \
  template bool Network<T>::adapt_remaining(const Inputs&, std::span<const std::int64_t>);   \
  template bool Network<T>::adapt_remaining(const RowPieces&);                               \
  template void Network<T>::undo_adaptation();                                               \
  template typename Network<T>::State::Statistics Network<T>::State::statistics() const;     \
  template void Network<T>::State::set_statistics(Statistics&) noexcept;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
// Normalization layers take their statistics from data.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "engine/input/gather.hpp"
#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"
#include "engine/stages/affine.hpp"
#include "engine/threads/team.hpp"

namespace chainrule {

namespace {

/// Means and variances of columns, by two passes over the rows.
struct Moments {
  explicit Moments(std::size_t columns)
      : means(columns, 0.0), variances(columns, 0.0), first(columns), varies(columns, false) {}

  template <class Value>
  void add_to_mean(std::size_t j, Value value, bool first_row) {
    const auto v = static_cast<double>(value);
    if (first_row) first[j] = v;
    varies[j] = varies[j] || v != first[j];
    means[j] += v;
  }
  void divide(double rows) {
    // A sum of equal numbers, divided by how many they are, need not be that number.
    for (std::size_t j = 0; j < means.size(); ++j)
      means[j] = varies[j] ? means[j] / rows : first[j];
  }
  template <class Value>
  void add_to_variance(std::size_t j, Value value) {
    const double d = static_cast<double>(value) - means[j];
    variances[j] += d * d;
  }

  std::vector<double> means, variances, first;
  std::vector<bool> varies;
};

/// Moments of the caller's numbers as they are, before they are rounded to float. Their sum is that
/// of the differences from the first, which has digits to spare.
class ExactMoments {
 public:
  void add_to_means(const RowsView& x, engine::RowList rows) {
    if (moments_.means.empty()) {
      moments_ = Moments(static_cast<std::size_t>(x.columns));
      for (std::int64_t j = 0; j < x.columns; ++j)
        moments_.first[static_cast<std::size_t>(j)] = engine::value_at(x, rows.from(0)[0], j);
    }
    for_each(x, rows, [&](std::size_t j, double v) { moments_.means[j] += v - moments_.first[j]; });
  }
  void divide(double rows) {
    for (std::size_t j = 0; j < moments_.means.size(); ++j)
      moments_.means[j] = moments_.first[j] + moments_.means[j] / rows;
  }
  void add_to_variances(const RowsView& x, engine::RowList rows) {
    for_each(x, rows, [&](std::size_t j, double v) { moments_.add_to_variance(j, v); });
  }
  const Moments& of(double rows) {
    for (double& variance : moments_.variances) variance /= rows;
    return moments_;
  }

 private:
  template <class Visit>
  static void for_each(const RowsView& x, engine::RowList rows, Visit visit) {
    const engine::RowOrder order = rows.from(0);
    engine::with_type(x.type, [&]<class S>(S) {
      for (std::int64_t i = 0; i < rows.count; ++i)
        for (std::int64_t j = 0; j < x.columns; ++j)
          visit(static_cast<std::size_t>(j),
                static_cast<double>(engine::number_at<S>(x, order[i], j)));
    });
  }

  Moments moments_{0};
};

constexpr std::int64_t kRows = 256;  // at a time

}  // namespace

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

/// Allocates nothing.
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

// x: pieces of rows x inputs, read twice: for means and for variances about them, which keeps the
// digits that a sum of squares would lose. What counts is what reaches the layer, so the rows run
// through the layers before it, on one thread, so that the sums have one order. With a list of
// rows, x is one piece, which has them all.
template <class T>
void Network<T>::State::adapt(std::int64_t layer, const RowPieces& x,
                              std::span<const std::int64_t> list) {
  State& s = *this;
  const engine::Parameter* mean = s.parameters.find(layer, "mean");
  const engine::Parameter* variance = s.parameters.find(layer, "variance");
  if (!mean || !variance)
    throw Error("layer " + std::to_string(layer) + " has no mean and variance to adapt");
  const Node& node = s.graph.node(s.graph.layer_node_index(layer));
  engine::Plan<T> plan(
      s.kernels, s.graph, s.parameters,
      {.batch_size = kRows, .result_nodes = {node.inputs.front()}, .occupancy = &s.occupancy});
  const bool reads_input = !s.graph.node(node.inputs.front()).layer && node.shape.rank() == 1;
  plan.refresh();
  const auto columns = static_cast<std::size_t>(mean->shape.columns);
  const std::int64_t positions = node.shape.positions();
  Moments moments(columns);
  ExactMoments exact_moments;
  std::int64_t rows = 0;
  bool exactly = false;
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
  const auto pass = [&](const auto& visit) {
    const engine::Occupancy::CallingBack calling(s.occupancy);
    x([&](const Inputs& piece) { visit(piece); });
  };
  pass([&](const Inputs& piece) {
    s.check_table(piece);
    for (std::size_t i = 0; i < piece.size(); ++i)
      check_finite<T>(piece[i], s.input_name(i).c_str());
    if (rows == 0)
      // A layer that reads the caller's doubles directly keeps the digits that float32 has not.
      exactly = reads_input && layer == 0 && sizeof(T) == 4 && piece.size() == 1 &&
                engine::has_more_digits(piece[0].type);
    each_row(piece, [&](const T* row) {
      for (std::size_t j = 0; j < columns; ++j) moments.add_to_mean(j, row[j], rows == 0);
      ++rows;
    });
    if (exactly) exact_moments.add_to_means(piece[0], {list, piece.rows()});
  });
  if (rows == 0) throw Error("x is empty: it has 0 rows");
  const auto count = static_cast<double>(rows);
  moments.divide(count);
  exact_moments.divide(count);
  std::int64_t again = 0;
  pass([&](const Inputs& piece) {
    s.check_table(piece);
    each_row(piece, [&](const T* row) {
      for (std::size_t j = 0; j < columns; ++j) moments.add_to_variance(j, row[j]);
      ++again;
    });
    if (exactly) exact_moments.add_to_variances(piece[0], {list, piece.rows()});
  });
  if (again != rows)
    throw Error("x gave " + std::to_string(rows) + " rows, and " + std::to_string(again) +
                " when it was read again");
  for (double& v : moments.variances) v /= count;
  std::vector<double> exact_mean;
  if (exactly) {
    // Of ordinary columns these would be the same but for what rounding does to them.
    const Moments& exact = exact_moments.of(count);
    for (std::size_t j = 0; j < columns; ++j) {
      const double spread = exact.variances[j] > 0.0 ? std::sqrt(exact.variances[j]) : 1.0;
      if (!engine::AffineStage<T>::is_wide(exact.means[j] / spread)) continue;
      if (exact_mean.empty()) {
        for (const double m : moments.means) exact_mean.push_back(static_cast<T>(m));
      }
      moments.means[j] = exact_mean[j] = exact.means[j];
      moments.variances[j] = exact.variances[j];
    }
  }
  for (std::size_t j = 0; j < columns; ++j) {
    const double v = moments.variances[j];
    const bool large = !std::isfinite(static_cast<T>(v));
    if (large || (v > 0.0 && static_cast<T>(v) == T(0))) {
      char text[32];
      std::snprintf(text, sizeof(text), "%g", v);
      throw Error("the variance of column " + std::to_string(j) + " of x, " + text + ", is too " +
                  (large ? "large" : "small") + " for the network's precision");
    }
  }
  // All checks are behind: from here on nothing throws, so the layer changes as a whole.
  if (layer == 0) s.parameters.set_exact_mean({});
  for (std::size_t j = 0; j < columns; ++j) {
    s.parameters.at(mean)[j] = static_cast<T>(moments.means[j]);
    s.parameters.at(variance)[j] = static_cast<T>(moments.variances[j]);
  }
  if (layer == 0) s.parameters.set_exact_mean(std::move(exact_mean));
  std::erase(s.unadapted, layer);
  s.forget_passes();
}

namespace {

/// Rows in memory are one piece.
RowPieces one_piece(const Inputs& x) {
  return [&x](const Callback<void(const Inputs&)>& each) { each(x); };
}

}  // namespace

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

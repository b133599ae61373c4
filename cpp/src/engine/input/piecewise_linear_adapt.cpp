// SPDX-License-Identifier: Apache-2.0
// The bins of a PiecewiseLinearEmbedding: edges at evenly spaced quantiles of each column.
#include <cmath>
#include <string>
#include <vector>

#include "chainrule/layers.hpp"
#include "engine/input/column_statistics.hpp"
#include "engine/input/layer_rows.hpp"
#include "engine/instantiate.hpp"

namespace chainrule {

// x: positions x columns, whose numbers are kept. Where a column has fewer values than there are
// edges, some edges are equal, and the bins between them have no width.
template <class T>
void Network<T>::State::adapt(const PiecewiseLinearEmbedding& described, LayerRows& x) {
  const auto columns = static_cast<std::size_t>(x.columns());
  engine::ColumnQuantiles<T> numbers(columns);
  std::int64_t rows = 0;
  x.pass([&](const Inputs& piece) {
    x.check_numbers(piece);
    const std::int64_t more = x.rows_of(piece).count * x.positions();
    rows += more;
    numbers.reserve(more);
    x.each_position(piece, [&](const T* row) {
      for (std::size_t j = 0; j < columns; ++j) numbers.add(j, row[j]);
    });
  });
  if (rows == 0) throw Error("x is empty: it has 0 rows");
  const auto count = static_cast<std::size_t>(described.bins) + 1;
  std::vector<T> edges;  // columns x (bins + 1)
  edges.reserve(columns * count);
  for (std::size_t j = 0; j < columns; ++j) {
    numbers.sort(j);
    if (!std::isfinite(static_cast<T>(numbers.quantile(j, 1.0) - numbers.quantile(j, 0.0))))
      throw Error("the range of column " + std::to_string(j) +
                  " of x is too large for the network's precision");
    for (std::size_t k = 0; k < count; ++k) {
      const double q = static_cast<double>(k) / static_cast<double>(described.bins);
      edges.push_back(static_cast<T>(numbers.quantile(j, q)));
    }
  }
  const engine::Parameter* parameter = parameters.find(x.layer(), "edges");
  engine::Parameters<T>::pack(*parameter, edges.data(), parameters.values.data());
}

#define CHAINRULE_MEMBERS(T) \
  template void Network<T>::State::adapt(const PiecewiseLinearEmbedding&, LayerRows&);
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

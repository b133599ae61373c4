// SPDX-License-Identifier: Apache-2.0
// Ranges of what enters the dense layers, from sample rows.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/predictor.hpp"
#include "engine/inference/inference_plan.hpp"
#include "engine/network_state.hpp"
#include "engine/threads/arithmetic_mode.hpp"
#include "model/lambda.hpp"

namespace chainrule {
namespace {

/// Of each layer, so that the memory of all is some tens of megabytes.
constexpr std::int64_t kMostValues = std::int64_t{1} << 21;

/// The smallest and largest value, but for one of 10,000 at either end.
InputRange range_of(std::vector<float>& values) {
  const auto left_out = static_cast<std::ptrdiff_t>(values.size() / 10000);
  const auto low = values.begin() + left_out;
  std::nth_element(values.begin(), low, values.end());
  const float smallest = *low;
  const auto high = values.end() - 1 - left_out;
  std::nth_element(values.begin(), high, values.end());
  return {std::min(smallest, 0.0f), std::max(*high, 0.0f)};
}

}  // namespace

template <class T>
Quantization Predictor<T>::calibrate(const Network<T>& network, const Inputs& x) {
  if constexpr (sizeof(T) == 8) {
    throw Error("small weights are those of a network of float, and this one is of double");
  } else {
    const engine::Reading guard(*network.state_);
    const typename Network<T>::State& n = *network.state_;
    n.check_input(x);
    n.check_categories(x);
    model::refuse_lambdas(n.graph, "a Predictor");
    if (x.rows() == 0) throw Error("calibration needs rows, got none");
    for (const RowsView& input : x)
      if (input.compressed()) throw Error("calibration takes rows of a table, not compressed rows");
    engine::InferencePlan<T> plan(n.kernels, n.graph);
    plan.copy_from(n.parameters.values);
    if (plan.products() == 0) throw Error("calibration: the network has no dense layer");
    constexpr std::int64_t piece = 64;
    engine::InferWorkspace<T> workspace = plan.workspace(piece);
    engine::Buffer<T> rows(engine::checked_product(piece, n.inputs));
    std::vector<std::vector<T>> entering(static_cast<std::size_t>(plan.products()));
    const std::int64_t most = std::max<std::int64_t>(1, kMostValues / plan.widest_row());
    const std::int64_t step = (x.rows() + most - 1) / most;
    const engine::ArithmeticMode mode;
    for (std::int64_t first = 0; first < x.rows(); first += piece * step) {
      std::vector<std::int64_t> order;
      for (std::int64_t row = first; row < std::min(x.rows(), first + piece * step); row += step)
        order.push_back(row);
      const auto count = static_cast<std::int64_t>(order.size());
      T* to = rows.data();
      for (const RowsView& input : x) {
        n.kernels.gather({input.type, input.data, input.row_stride, input.column_stride,
                          order.data(), 0, count, input.columns, nullptr, nullptr, to, n.inputs});
        to += input.columns;
      }
      plan.observe(rows.data(), n.inputs, count, workspace, entering);
    }
    Quantization result{WeightType::int8, {}};
    for (std::vector<T>& values : entering) {
      if (!std::all_of(values.begin(), values.end(), [](T v) { return std::isfinite(v); }))
        throw Error("calibration: what enters dense layer " + std::to_string(result.ranges.size()) +
                    " is not finite for a row");
      result.ranges.push_back(range_of(values));
    }
    return result;
  }
}

template Quantization Predictor<float>::calibrate(const Network<float>&, const Inputs&);
template Quantization Predictor<double>::calibrate(const Network<double>&, const Inputs&);

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
// From float panels to words of small weights.
#include "engine/inference/small_weights.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "chainrule/error.hpp"

namespace chainrule::engine {
namespace {

using kernels::PanelShape;

/// So many that a sum of products, and what it starts from, fit 32 bits.
constexpr std::int64_t kMostInt8Inputs = 65536;

/// Calls use(panel, row, column of the panel, value) for all weights of a matrix.
template <class Use>
void each_weight(const kernels::RowArgs<float>& matrix, Use use) {
  const PanelShape& shape = matrix.shape;
  for (std::int64_t p = 0; p < shape.panels(); ++p) {
    const float* panel = matrix.weight + shape.offset(p);
    const std::int64_t width = shape.width(p);
    for (std::int64_t k = 0; k < shape.rows; ++k)
      for (std::int64_t j = 0; j < shape.own_columns(p); ++j) use(p, k, j, panel[k * width + j]);
  }
}

}  // namespace

void SmallWeights::add(const kernels::RowArgs<float>& whole) {
  const PanelShape& shape = whole.shape;
  Product product{
      whole, {shape, nullptr, whole.bias, whole.activation, nullptr, nullptr, 0, 0}, {}, {}, {}};
  const std::int64_t columns = padded<float>(shape.columns);
  if (quantization_.weights == WeightType::int8) {
    if (shape.rows > kMostInt8Inputs)
      throw Error("weights in int8: a dense layer has " + std::to_string(shape.rows) +
                  " inputs, of which there may be " + std::to_string(kMostInt8Inputs));
    const std::int64_t groups = (shape.rows + kernels::kWordTerms - 1) / kernels::kWordTerms;
    product.words = Buffer<std::int32_t>(groups * columns);
    product.scale = Buffer<float>(columns);
    product.start = Buffer<std::int32_t>(columns);
  } else {
    // Half of the columns, and for a narrow panel of an odd number of vectors one vector more.
    product.words = Buffer<std::int32_t>(shape.rows * (columns / 2 + kernels_.lanes));
  }
  products_.push_back(std::move(product));
}

void SmallWeights::check_ranges() const {
  if (quantization_.weights != WeightType::int8) return;
  const std::vector<InputRange>& ranges = quantization_.ranges;
  if (products_.empty()) throw Error("weights in int8: the network has no dense layer");
  if (ranges.size() != products_.size())
    throw Error("weights in int8: there are " + std::to_string(ranges.size()) + " ranges for " +
                std::to_string(products_.size()) + " dense layers");
  for (const InputRange& range : ranges)
    if (!(range.low <= 0 && range.high >= 0 && std::isfinite(range.high - range.low)))
      throw Error("weights in int8: a range from " + std::to_string(range.low) + " to " +
                  std::to_string(range.high) + ", expected finite limits around 0");
}

void SmallWeights::pack() {
  for (std::size_t i = 0; i < products_.size(); ++i) {
    Product& product = products_[i];
    if (quantization_.weights == WeightType::int8) {
      pack_int8(product, quantization_.ranges[i]);
    } else {
      pack_bfloat16(product);
    }
    product.small.words = product.words.data();
  }
}

void SmallWeights::pack_bfloat16(Product& product) const {
  const PanelShape& shape = product.whole.shape;
  const std::int64_t lanes = kernels_.lanes;
  product.words.clear();
  each_weight(product.whole, [&](std::int64_t p, std::int64_t k, std::int64_t j, float value) {
    const std::int64_t pairs = (shape.width(p) / lanes + 1) / 2;
    std::int32_t* panel = product.words.data() + p * shape.panel / 2 * shape.rows;
    std::int32_t& word = panel[(k * pairs + j / (2 * lanes)) * lanes + j % lanes];
    const std::uint32_t half = std::uint32_t{to_bfloat16(value)} << (j / lanes % 2 ? 16 : 0);
    word = static_cast<std::int32_t>(static_cast<std::uint32_t>(word) | half);
  });
}

void SmallWeights::pack_int8(Product& product, InputRange range) const {
  const PanelShape& shape = product.whole.shape;
  const std::int64_t groups = (shape.rows + kernels::kWordTerms - 1) / kernels::kWordTerms;
  float* scale = product.scale.data();
  std::int32_t* sums = product.start.data();
  product.words.clear();
  product.scale.clear();
  product.start.clear();
  each_weight(product.whole, [&](std::int64_t p, std::int64_t, std::int64_t j, float value) {
    if (!std::isfinite(value)) throw Error("weights in int8: a weight is not finite");
    float& largest = scale[p * shape.panel + j];
    largest = std::max(largest, std::abs(value));
  });
  std::for_each_n(scale, shape.columns, [](float& value) { value = int8_scale(value); });
  each_weight(product.whole, [&](std::int64_t p, std::int64_t k, std::int64_t j, float value) {
    const auto q = static_cast<std::int32_t>(std::nearbyint(value / scale[p * shape.panel + j]));
    std::int32_t* panel = product.words.data() + p * shape.panel * groups;
    std::int32_t& word = panel[k / kernels::kWordTerms * shape.width(p) + j];
    const auto byte = static_cast<std::uint32_t>(q & 0xff) << k % kernels::kWordTerms * 8;
    word = static_cast<std::int32_t>(static_cast<std::uint32_t>(word) | byte);
    sums[p * shape.panel + j] += q;
  });
  const float span = range.high - range.low;
  const float step = span > 0 ? span / static_cast<float>(kernels::kLargestInteger) : 1.0f;
  const float zero = std::nearbyint(-range.low / step);
  for (std::int64_t j = 0; j < shape.columns; ++j) {
    scale[j] *= step;
    sums[j] *= -static_cast<std::int32_t>(zero);
  }
  product.small.scale = scale;
  product.small.start = sums;
  product.small.input_scale = 1.0f / step;
  product.small.zero = zero;
}

std::int64_t SmallWeights::scratch_bytes(std::int64_t product, std::int64_t rows) const {
  if (quantization_.weights != WeightType::int8) return 0;
  return checked_product(
      rows, kernels::integer_stride(products_[static_cast<std::size_t>(product)].whole.shape.rows));
}

void SmallWeights::forward(std::int64_t product, std::int64_t rows, const float* x,
                           std::int64_t x_stride, float* y, std::int64_t y_stride,
                           std::int32_t* terms, void* scratch) const noexcept {
  const kernels::SmallProduct& small = products_[static_cast<std::size_t>(product)].small;
  // The integer of an input that is zero.
  if (small.zero != 0) terms = nullptr;
  const auto forward = quantization_.weights != WeightType::int8 ? kernels_.bfloat16_forward
                       : kernels_.int8_vnni_forward              ? kernels_.int8_vnni_forward
                                                                 : kernels_.int8_forward;
  forward({small, x, x_stride, y, y_stride, rows, terms, static_cast<std::uint8_t*>(scratch)});
}

}  // namespace chainrule::engine

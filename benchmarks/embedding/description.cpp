// SPDX-License-Identifier: Apache-2.0
#include "description.hpp"

#include <algorithm>
#include <cmath>
#include <random>

Work::Work(const std::vector<std::int64_t>& sizes, Hidden hidden, double zeros)
    : sizes_(sizes), hidden_(hidden), zeros_(zeros) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> uniform;
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    const float scale = std::sqrt(2.0f / static_cast<float>(sizes[l]));
    std::vector<float> weight(static_cast<std::size_t>(sizes[l] * sizes[l + 1]));
    std::vector<float> bias(static_cast<std::size_t>(sizes[l + 1]));
    for (float& w : weight) w = scale * normal(random);
    for (float& b : bias) b = 0.1f * normal(random);
    weights_.push_back(std::move(weight));
    biases_.push_back(std::move(bias));
  }
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l)
    layers_.push_back({sizes[l], sizes[l + 1], weights_[l].data(), biases_[l].data()});
  rows_.resize(static_cast<std::size_t>(kRows * inputs()));
  for (float& x : rows_) x = uniform(random) < zeros ? 0.0f : uniform(random);
}

std::string Work::name() const {
  std::string text;
  for (const std::int64_t size : sizes_) text += (text.empty() ? "" : "-") + std::to_string(size);
  text += hidden_ == Hidden::relu ? " relu" : " tanh";
  if (zeros_ > 0.0)
    text += ", " + std::to_string(static_cast<int>(std::lround(100 * zeros_))) + " % zeros";
  return text;
}

NetworkDescription Work::network() const {
  return {static_cast<std::int64_t>(layers_.size()), layers_.data(), hidden_};
}

const float* Work::row(std::int64_t i) const { return rows_.data() + i % kRows * inputs(); }

std::vector<double> Work::reference(const float* in) const {
  std::vector<double> x(in, in + inputs());
  for (const DenseDescription& layer : layers_) {
    std::vector<double> y(layer.bias, layer.bias + layer.outputs);
    for (std::int64_t k = 0; k < layer.inputs; ++k) {
      for (std::int64_t j = 0; j < layer.outputs; ++j) {
        y[static_cast<std::size_t>(j)] += x[static_cast<std::size_t>(k)] *
                                          static_cast<double>(layer.weight[k * layer.outputs + j]);
      }
    }
    if (&layer != &layers_.back()) {
      for (double& v : y) v = hidden_ == Hidden::relu ? std::max(v, 0.0) : std::tanh(v);
    }
    x = std::move(y);
  }
  return x;
}

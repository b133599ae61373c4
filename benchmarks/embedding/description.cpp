// SPDX-License-Identifier: Apache-2.0
#include "description.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace {

using Row = std::vector<double>;

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

/// sums += x W
void add_product(const double* x, std::int64_t inputs, const float* weight, Row& sums) {
  for (std::int64_t k = 0; k < inputs; ++k) {
    for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += x[k] * static_cast<double>(*weight++);
  }
}

/// A layer goes through a sequence, or through rows that have nothing to do with each other.
class Reference {
 public:
  explicit Reference(const LayerDescription& layer)
      : layer_(layer),
        past_(static_cast<std::size_t>((layer.span() - 1) * layer.inputs)),
        h_(static_cast<std::size_t>(layer.outputs)),
        c_(h_.size()) {}

  Row step(const Row& x) {
    Row sums(layer_.bias, layer_.bias + layer_.columns());
    switch (layer_.kind) {
      case LayerKind::gru:
        add_product(x.data(), layer_.inputs, layer_.weight, sums);
        return gru(sums);
      case LayerKind::lstm:
        add_product(x.data(), layer_.inputs, layer_.weight, sums);
        return lstm(sums);
      case LayerKind::dense:
      case LayerKind::causal_convolution:
        break;
    }
    past_.insert(past_.end(), x.begin(), x.end());
    for (std::int64_t t = 0; t < layer_.taps; ++t)
      add_product(past_.data() + t * layer_.dilation * layer_.inputs, layer_.inputs,
                  layer_.weight + t * layer_.inputs * layer_.outputs, sums);
    past_.erase(past_.begin(), past_.begin() + layer_.inputs);
    for (double& v : sums) {
      if (layer_.activation == ActivationKind::relu) v = std::max(v, 0.0);
      if (layer_.activation == ActivationKind::tanh) v = std::tanh(v);
    }
    return sums;
  }

 private:
  Row gru(const Row& of_x) {
    Row of_h(layer_.recurrent_bias, layer_.recurrent_bias + layer_.columns());
    add_product(h_.data(), layer_.outputs, layer_.recurrent_weight, of_h);
    const std::size_t units = h_.size();
    for (std::size_t j = 0; j < units; ++j) {
      const double z = sigmoid(of_x[j] + of_h[j]);
      const double r = sigmoid(of_x[units + j] + of_h[units + j]);
      const double n = std::tanh(of_x[2 * units + j] + r * of_h[2 * units + j]);
      h_[j] = (1.0 - z) * n + z * h_[j];
    }
    return h_;
  }

  Row lstm(Row& sums) {
    add_product(h_.data(), layer_.outputs, layer_.recurrent_weight, sums);
    const std::size_t units = h_.size();
    for (std::size_t j = 0; j < units; ++j) {
      c_[j] = sigmoid(sums[units + j]) * c_[j] + sigmoid(sums[j]) * std::tanh(sums[2 * units + j]);
      h_[j] = sigmoid(sums[3 * units + j]) * std::tanh(c_[j]);
    }
    return h_;
  }

  LayerDescription layer_;
  Row past_;  // frames that the next window begins with
  Row h_;
  Row c_;
};

}  // namespace

Work::Work(std::string name, std::int64_t inputs, const std::vector<LayerOptions>& layers,
           double zeros)
    : name_(std::move(name)) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> uniform;
  const auto numbers = [&](std::int64_t count, float scale) {
    std::vector<float> array(static_cast<std::size_t>(count));
    for (float& w : array) w = scale * normal(random);
    return arrays_.emplace_back(std::move(array)).data();
  };
  std::int64_t columns = inputs;
  for (const LayerOptions& o : layers) {
    LayerDescription layer{.kind = o.kind,
                           .inputs = columns,
                           .outputs = o.outputs,
                           .activation = o.activation,
                           .taps = o.taps,
                           .dilation = o.dilation,
                           .weight = nullptr,
                           .bias = nullptr,
                           .recurrent_weight = nullptr,
                           .recurrent_bias = nullptr};
    const std::int64_t terms = layer.taps * layer.inputs;
    layer.weight = numbers(terms * layer.columns(), std::sqrt(2.0f / static_cast<float>(terms)));
    layer.bias = numbers(layer.columns(), 0.1f);
    if (layer.gates() > 1)
      layer.recurrent_weight = numbers(layer.outputs * layer.columns(),
                                       1.0f / std::sqrt(static_cast<float>(layer.outputs)));
    if (layer.kind == LayerKind::gru) layer.recurrent_bias = numbers(layer.columns(), 0.1f);
    layers_.push_back(layer);
    columns = o.outputs;
  }
  rows_.resize(static_cast<std::size_t>(kRows * inputs));
  for (float& x : rows_) x = uniform(random) < zeros ? 0.0f : uniform(random);
}

NetworkDescription Work::network() const {
  return {static_cast<std::int64_t>(layers_.size()), layers_.data()};
}

const float* Work::row(std::int64_t i) const {
  return rows_.data() + i % kRows * network().inputs();
}

std::vector<std::vector<double>> Work::reference() const {
  std::vector<Reference> layers(layers_.begin(), layers_.end());
  std::vector<Row> outputs;
  for (int i = 0; i < kRows; ++i) {
    Row x(row(i), row(i) + network().inputs());
    for (Reference& layer : layers) x = layer.step(x);
    outputs.push_back(std::move(x));
  }
  return outputs;
}

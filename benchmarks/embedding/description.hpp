// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "peer.hpp"

/// What a layer is, without numbers.
struct LayerOptions {
  LayerKind kind;
  std::int64_t outputs;
  ActivationKind activation = ActivationKind::linear;
  std::int64_t taps = 1;
  std::int64_t dilation = 1;
};

/// A network with made-up weights, and rows to predict: frames of one sequence if it streams.
class Work {
 public:
  Work(std::string name, std::int64_t inputs, const std::vector<LayerOptions>& layers,
       double zeros = 0.0);

  const std::string& name() const { return name_; }
  NetworkDescription network() const;

  static constexpr int kRows = 64;
  const float* row(std::int64_t i) const;

  /// The outputs of all rows in double precision.
  std::vector<std::vector<double>> reference() const;

 private:
  std::string name_;
  std::vector<std::vector<float>> arrays_;
  std::vector<LayerDescription> layers_;
  std::vector<float> rows_;
};

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "peer.hpp"

/// A network with made-up weights, and rows to predict.
class Work {
 public:
  Work(const std::vector<std::int64_t>& sizes, Hidden hidden, double zeros);

  std::string name() const;
  NetworkDescription network() const;
  std::int64_t inputs() const { return sizes_.front(); }
  std::int64_t outputs() const { return sizes_.back(); }

  static constexpr int kRows = 64;
  const float* row(std::int64_t i) const;

  /// The outputs in double precision.
  std::vector<double> reference(const float* in) const;

 private:
  std::vector<std::int64_t> sizes_;
  Hidden hidden_;
  double zeros_;
  std::vector<std::vector<float>> weights_;
  std::vector<std::vector<float>> biases_;
  std::vector<DenseDescription> layers_;
  std::vector<float> rows_;
};

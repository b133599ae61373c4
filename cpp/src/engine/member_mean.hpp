// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "chainrule/activation.hpp"
#include "engine/buffer.hpp"
#include "engine/plan.hpp"
#include "engine/stages/stage.hpp"
#include "model/deterministic_math.hpp"

namespace chainrule::engine {

/// What the members of an ensemble give together: the mean of their outputs. Where the loss
/// contains their last activation, a softmax or sigmoid, the mean is that of their probabilities,
/// as numbers of which this activation makes it: log p, or log p - log(1 - p).
template <class T>
class MemberMean {
 public:
  /// Of results first to first + count - 1 of a plan.
  MemberMean(const Plan<T>& plan, std::size_t first, std::size_t count, Activation::Kind contained)
      : first_(first),
        count_(count),
        contained_(contained),
        y_(plan.result(first)),
        values_(plan.batch_size() * y_.positions * y_.stride),
        norms_(plan.batch_size() * y_.positions * static_cast<std::int64_t>(count)) {
    y_.data = values_.data();
  }

  /// Works a thread's rows of the batch out.
  void run(const Plan<T>& plan, Range rows) {
    for (std::int64_t i = rows.begin * y_.positions; i < rows.end * y_.positions; ++i) {
      if (contained_ == Activation::Kind::softmax) {
        softmax(plan, i);
      } else if (contained_ == Activation::Kind::sigmoid) {
        sigmoid(plan, i);
      } else {
        mean(plan, i);
      }
    }
  }

  const Tensor<T>& y() const { return y_; }

 private:
  const T* row(const Plan<T>& plan, std::size_t member, std::int64_t i) const {
    return plan.result(first_ + member).row(i);
  }
  static double exp(double x) {
    return std::isnan(x) ? x : model::exp(std::clamp(x, -kMost, kMost));
  }

  // As kernels/merge.hpp does it.
  void mean(const Plan<T>& plan, std::int64_t i) {
    for (std::int64_t j = 0; j < y_.columns; ++j) {
      T sum = row(plan, 0, i)[j];
      for (std::size_t m = 1; m < count_; ++m) sum = sum + row(plan, m, i)[j];
      y_.row(i)[j] = sum / static_cast<T>(static_cast<double>(count_));
    }
  }

  void softmax(const Plan<T>& plan, std::int64_t i) {
    double* norms = norms_.data() + i * static_cast<std::int64_t>(count_);
    for (std::size_t m = 0; m < count_; ++m) {
      const T* z = row(plan, m, i);
      const auto value = [&](std::int64_t j) { return static_cast<double>(z[j]); };
      double largest = value(0);
      for (std::int64_t j = 1; j < y_.columns; ++j) largest = std::max(largest, value(j));
      double sum = 0.0;
      for (std::int64_t j = 0; j < y_.columns; ++j) sum += exp(value(j) - largest);
      norms[m] = largest + model::log(sum);
    }
    for (std::int64_t j = 0; j < y_.columns; ++j) {
      double p = 0.0;
      for (std::size_t m = 0; m < count_; ++m)
        p += exp(static_cast<double>(row(plan, m, i)[j]) - norms[m]);
      y_.row(i)[j] = static_cast<T>(model::log(p / static_cast<double>(count_)));
    }
  }

  void sigmoid(const Plan<T>& plan, std::int64_t i) {
    for (std::int64_t j = 0; j < y_.columns; ++j) {
      double p = 0.0;
      double q = 0.0;
      for (std::size_t m = 0; m < count_; ++m) {
        const auto z = static_cast<double>(row(plan, m, i)[j]);
        p += 1.0 / (1.0 + exp(-z));
        q += 1.0 / (1.0 + exp(z));
      }
      y_.row(i)[j] = static_cast<T>(model::log(p) - model::log(q));
    }
  }

  static constexpr double kMost = 700.0;  // of what model::exp takes

  std::size_t first_;
  std::size_t count_;
  Activation::Kind contained_;
  Tensor<T> y_;           // rows x columns
  Buffer<T> values_;      // its
  Buffer<double> norms_;  // rows x members: log of the sum of exp(z)
};

}  // namespace chainrule::engine

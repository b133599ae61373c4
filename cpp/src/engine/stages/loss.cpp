// SPDX-License-Identifier: Apache-2.0
// The loss of a batch is the mean of its rows' losses l by their weights w:
//
//   loss = sum over r of w(r) l(z(r, :), y(r, :)) / sum over r of w(r)
//   dz(r, :) = w(r) dl/dz / sum over r of w(r)
//
// w(r) is the sample's weight times that of its class. Weights are divided by powers of two that
// bring the largest near 1, so that no sum or product leaves the range of T.
#include "engine/stages/loss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/network.hpp"
#include "engine/input/compressed_rows.hpp"
#include "engine/input/gather.hpp"
#include "engine/instantiate.hpp"

namespace chainrule::engine {

template <class T>
LossStage<T>::LossStage(const kernels::KernelTable<T>& kernels, const Loss& loss, double weight,
                        std::int64_t outputs, std::int64_t batch_size)
    : kernels_(kernels),
      loss_(loss),
      weight_(weight),
      outputs_(outputs),
      target_columns_(loss.target_columns(outputs)),
      labels_(loss.takes_labels() ? batch_size : 0),
      narrow_(target_columns_ == outputs ? 0 : batch_size * padded<T>(target_columns_)),
      values_(batch_size * padded<T>(outputs)),
      sample_weights_(batch_size),
      class_weights_(padded<T>(outputs)),
      quantiles_(padded<T>(outputs)),
      row_losses_(batch_size) {
  const auto* quantile = loss.options.get_if<Loss::Quantile>();
  for (std::int64_t j = 0; j < outputs && quantile; ++j) {
    const auto group = static_cast<std::size_t>(j / target_columns_);
    quantiles_.data()[j] = static_cast<T>(quantile->quantiles[group]);
  }
}

namespace {

/// A power of two that brings `largest`, 0 or more, near 1; within the range of normal numbers.
double scale_to_one(double largest) {
  int exponent = 0;
  std::frexp(largest, &exponent);
  return std::ldexp(1.0, std::clamp(-exponent, -1000, 1000));
}

double largest_of(const double* weights, std::int64_t count) {
  return weights && count > 0 ? *std::max_element(weights, weights + count) : 0.0;
}

void check_weights(const char* name, const double* weights, std::int64_t count) {
  for (std::int64_t i = 0; weights && i < count; ++i) {
    if (std::isfinite(weights[i]) && weights[i] >= 0.0) continue;
    throw Error(std::string(name) + " must be finite and >= 0; entry " + std::to_string(i) +
                " is " + std::to_string(weights[i]));
  }
}

}  // namespace

template <class T>
void LossStage<T>::check(const Loss& loss, const TargetsView& y, std::int64_t outputs) {
  const auto kind = [&] { return loss.config().kind; };
  const std::int64_t classes = loss.takes_labels() ? outputs : 2;
  if (y.class_weights && y.classes != classes) {
    throw Error("class_weight has " + std::to_string(y.classes) + " entries; " + kind() +
                " on a network of " + std::to_string(outputs) + " outputs expects " +
                std::to_string(classes));
  }
  check_weights("sample_weight", y.sample_weights, y.rows);
  check_weights("class_weight", y.class_weights, y.classes);
  if (y.labels) {
    if (!loss.takes_labels())
      throw Error(kind() + " compares numbers, not class labels: give y as rows of numbers");
    const std::int64_t row = first_wrong_label(y.labels, y.rows, outputs);
    if (row >= 0) {
      throw Error("y[" + std::to_string(row) + "] is label " + std::to_string(y.labels[row]) +
                  "; the network has " + std::to_string(outputs) + " outputs, so labels are 0.." +
                  std::to_string(outputs - 1));
    }
    return;
  }
  if (y.values.rows != y.rows) {
    throw Error("y has " + std::to_string(y.rows) + " rows but its values have " +
                std::to_string(y.values.rows));
  }
  const std::int64_t expected = loss.target_columns(outputs);
  if (y.values.columns != expected) {
    throw Error("y has " + std::to_string(y.values.columns) + " columns; " + kind() +
                " on a network of " + std::to_string(outputs) + " outputs expects " +
                std::to_string(expected));
  }
  if (y.class_weights && !loss.takes_labels() && outputs != 1) {
    throw Error("class_weight with " + kind() + " needs a network of one output, got " +
                std::to_string(outputs));
  }
}

template <class T>
double LossStage<T>::class_weight(const TargetsView& y, std::int64_t row) const {
  if (!y.class_weights) return 1.0;
  if (y.labels) {
    // A caller's other threads may have changed it since it was checked.
    const std::int64_t label = y.labels[row];
    return label >= 0 && label < y.classes ? y.class_weights[label] * class_scale_ : 0.0;
  }
  if (loss_.takes_labels())
    return 1.0;  // probability rows: the kernel weighs each class, the mean is over rows
  return y.class_weights[value_at(y.values, row, 0) > 0.0 ? 1 : 0] * class_scale_;
}

template <class T>
double LossStage<T>::sample_weight(const TargetsView& y, std::int64_t row) const {
  return y.sample_weights ? y.sample_weights[row] * sample_scale_ : 1.0;
}

template <class T>
typename LossStage<T>::BatchWeights LossStage<T>::weigh(const TargetsView& y, RowOrder order,
                                                        std::int64_t rows) const {
  if (!y.sample_weights && !y.class_weights) return {static_cast<double>(rows), 1.0};
  double sum = 0.0;
  double largest = 0.0;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t row = order[i];
    const double w = sample_weight(y, row) * class_weight(y, row);
    sum += w;
    largest = std::max(largest, w);
  }
  // Where weights of classes are the kernel's, T must hold them, and the rows' beside them.
  const double most = y.class_weights && loss_.takes_labels() ? 0x1p60 : 0x1p1000;
  return {sum, std::min(scale_to_one(largest), most)};
}

template <class T>
MeanLoss LossStage<T>::mean(std::int64_t rows) const {
  auto sum = static_cast<double>(kernels_.tree_sum(row_losses_.data(), rows));
  if (!std::isfinite(sum)) {
    sum = 0.0;
    for (std::int64_t i = 0; i < rows; ++i) sum += static_cast<double>(row_losses_.data()[i]);
  }
  return {sum / last_.scale, last_.sum};
}

template <class T>
bool LossStage<T>::finite(Range rows) const {
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    if (!std::isfinite(row_losses_.data()[i])) return false;
  }
  return true;
}

template <class T>
// y: rows x target_columns_, narrow_: rows x target_columns_, values_: rows x outputs_
void LossStage<T>::gather_values(const TargetsView& y, RowOrder order, Range rows) {
  const std::int64_t stride = padded<T>(outputs_);
  const auto gather = [&](Buffer<T>& to, std::int64_t width) {
    T* targets = to.data() + rows.begin * width;
    if (y.values.compressed()) {
      expand_rows<T>(y.values, order.after(rows.begin), rows.size(), targets, width);
    } else {
      gather_rows<T>(kernels_, y.values, order.after(rows.begin), rows.size(), nullptr, nullptr,
                     targets, width);
    }
  };
  if (target_columns_ == outputs_) {
    gather(values_, stride);
    return;
  }
  const std::int64_t narrow = padded<T>(target_columns_);
  gather(narrow_, narrow);
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    for (std::int64_t j = 0; j < outputs_; ++j) {
      values_.data()[i * stride + j] = narrow_.data()[i * narrow + j % target_columns_];
    }
  }
}

template <class T>
// z, dz: rows x outputs_, y: rows x target_columns_ or rows labels, row_losses_: rows
void LossStage<T>::run(const Step<T>& step, ThreadSlice slice, const TargetsView& y, RowOrder order,
                       const Tensor<T>& z, const Tensor<T>& dz) {
  const Range rows = step.rows_of(slice);
  const BatchWeights all = weigh(y, order, step.rows);
  if (slice.index == 0) last_ = all;
  if (rows.size() == 0) return;
  const bool class_in_kernel = loss_.takes_labels() && y.class_weights;
  const bool weighted =
      y.sample_weights || (y.class_weights && !class_in_kernel) || all.scale != 1.0;
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    const std::int64_t row = order[i];
    if (y.labels) labels_.data()[i] = static_cast<std::int32_t>(y.labels[row]);
    if (weighted) {
      const double w = sample_weight(y, row) * (class_in_kernel ? 1.0 : class_weight(y, row));
      sample_weights_.data()[i] = static_cast<T>(w * all.scale);
    }
  }
  if (!y.labels) gather_values(y, order, rows);

  const double total = all.sum * all.scale;
  const std::int64_t stride = padded<T>(outputs_);
  kernels::LossArgs<T> f{};
  f.kind = loss_.kind;
  if (const auto* huber = loss_.options.get_if<Loss::Huber>())
    f.delta = static_cast<T>(huber->delta);
  if (const auto* cross_entropy = loss_.options.get_if<Loss::CrossEntropy>())
    f.label_smoothing = static_cast<T>(cross_entropy->label_smoothing);
  f.rows = rows.size();
  f.columns = outputs_;
  f.z = z.row(rows.begin);
  f.z_stride = z.stride;
  f.labels = y.labels ? labels_.data() + rows.begin : nullptr;
  f.targets = values_.data() + rows.begin * stride;
  f.target_stride = stride;
  f.sample_weights = weighted ? sample_weights_.data() + rows.begin : nullptr;
  f.class_weights = class_in_kernel ? class_weights_.data() : nullptr;
  f.quantiles = quantiles_.data();
  constexpr double most = std::numeric_limits<T>::max();
  f.gradient_scale = total > 0.0 ? static_cast<T>(std::min(weight_ / total, most)) : T(0);
  f.dz = dz.data ? dz.row(rows.begin) : nullptr;
  f.dz_stride = dz.stride;
  f.row_losses = row_losses_.data() + rows.begin;
  kernels_.loss(f);
}

template <class T>
void LossStage<T>::prepare(const TargetsView& y) {
  sample_scale_ = y.sample_weights ? scale_to_one(largest_of(y.sample_weights, y.rows)) : 1.0;
  // The mean over rows of probabilities does not divide by them.
  const bool divided = y.class_weights && (y.labels || !loss_.takes_labels());
  class_scale_ = divided ? scale_to_one(largest_of(y.class_weights, y.classes)) : 1.0;
  if (!y.class_weights || !loss_.takes_labels()) return;
  for (std::int64_t j = 0; j < outputs_; ++j)
    class_weights_.data()[j] = static_cast<T>(y.class_weights[j] * class_scale_);
}

#define CHAINRULE_MEMBERS(T) template class LossStage<T>;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule::engine

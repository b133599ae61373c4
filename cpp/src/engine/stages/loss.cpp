// SPDX-License-Identifier: Apache-2.0
// The loss of a batch is the mean of its rows' losses l by their weights w:
//
//   loss = sum over r of w(r) l(z(r, :), y(r, :)) / sum over r of w(r)
//   dz(r, :) = w(r) dl/dz / sum over r of w(r)
//
// Where a row has several positions, each of them is such a row r, with the weight of its row or
// one of its own. w(r) is the sample's weight times that of its class. Weights are divided by
// powers of two that bring the largest near 1, so that no sum or product leaves the range of T.
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
                        const Shape& shape, std::int64_t batch_size, FunctionCalls& calls)
    : kernels_(kernels),
      calls_(calls),
      loss_(loss),
      weight_(weight),
      positions_(loss.is_custom() ? 1 : shape.positions()),
      outputs_(loss.is_custom() ? shape.size() : shape.columns()),
      target_columns_(loss.target_columns(outputs_)),
      labels_(loss.takes_labels() ? batch_size * positions_ : 0),
      narrow_(target_columns_ == outputs_ ? 0
                                          : batch_size * positions_ * padded<T>(target_columns_)),
      values_(loss.is_custom() ? 0 : batch_size * positions_ * padded<T>(outputs_)),
      sample_weights_(batch_size * positions_),
      class_weights_(padded<T>(outputs_)),
      quantiles_(padded<T>(outputs_)),
      row_losses_(batch_size * positions_) {
  if (const auto* function = loss.options.get_if<CustomLoss>()) {
    custom_.emplace(*function, shape, batch_size);
    calls.expect();
  }
  const auto* quantile = loss.options.get_if<Loss::Quantile>();
  for (std::int64_t j = 0; j < outputs_ && quantile; ++j) {
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

// shape: of a row of the outputs. All labels and weights are looked at, and no number of y.values:
// what a loss cannot compare with is check_target_values' matter.
template <class T>
void LossStage<T>::check(const Loss& loss, const TargetsView& y, const Shape& shape) {
  const std::int64_t outputs = shape.columns();
  const std::int64_t positions = shape.positions();
  const auto kind = [&] { return loss.config().kind; };
  const bool by_label = loss.takes_labels() || (loss.is_custom() && y.labels);
  const std::int64_t classes = by_label ? outputs : 2;
  if (y.class_weights && loss.is_custom() && !by_label &&
      (shape.size() != 1 || y.values.columns != 1))
    throw Error(
        "class_weight with a function as loss needs labels, or one output and one column "
        "of y");
  if (y.class_weights && y.classes != classes) {
    throw Error("class_weight has " + std::to_string(y.classes) + " entries; " + kind() +
                " on a network of " + std::to_string(outputs) + " outputs expects " +
                std::to_string(classes));
  }
  if (y.sample_weights && y.weight_positions != 1 &&
      (y.weight_positions != positions || loss.is_custom())) {
    throw Error("sample_weight has " + std::to_string(y.weight_positions) + " weights a row; " +
                (loss.is_custom() || positions == 1
                     ? "the loss takes one"
                     : "the loss takes one, or one for each of the " + std::to_string(positions) +
                           " positions of the output"));
  }
  check_weights("sample_weight", y.sample_weights, y.rows * y.weight_positions);
  check_weights("class_weight", y.class_weights, y.classes);
  if (y.labels) {
    if (!by_label)
      throw Error(kind() + " compares numbers, not class labels: give y as rows of numbers");
    // A function takes any whole numbers, as long as these choose no weights.
    if (loss.is_custom() && !y.class_weights) return;
    if (y.label_positions != (loss.is_custom() ? 1 : positions)) {
      throw Error("y has " + std::to_string(y.label_positions) + " labels a row; " + kind() +
                  (positions == 1 ? " expects one"
                                  : " on outputs of shape " + shape.text() +
                                        " expects one for each position"));
    }
    const std::int64_t at = first_wrong_label(y.labels, y.rows * y.label_positions, outputs);
    if (at >= 0) {
      throw Error("y[" + std::to_string(at / y.label_positions) +
                  (positions == 1 ? "" : ", " + std::to_string(at % y.label_positions)) +
                  "] is label " + std::to_string(y.labels[at]) + "; the network has " +
                  std::to_string(outputs) + " outputs, so labels are 0.." +
                  std::to_string(outputs - 1));
    }
    return;
  }
  if (y.values.rows != y.rows) {
    throw Error("y has " + std::to_string(y.rows) + " rows but its values have " +
                std::to_string(y.values.rows));
  }
  if (y.values.compressed() && positions > 1 && !loss.is_custom())
    throw Error("y is sparse, which outputs of one position alone take; they have the shape " +
                shape.text());
  const std::int64_t expected = loss.is_custom() ? y.values.columns : loss.target_columns(shape);
  if (y.values.columns != expected) {
    throw Error("y has " + std::to_string(y.values.columns) + " columns; " + kind() +
                " on a network of " + std::to_string(shape.size()) + " outputs expects " +
                std::to_string(expected));
  }
  if (y.class_weights && !by_label && !loss.is_custom() && outputs != 1) {
    throw Error("class_weight with " + kind() + " needs a network of one output, got " +
                std::to_string(outputs));
  }
}

// The weight of the label's class; without labels, of class 1 where the target is positive and else
// of class 0.
template <class T>
double LossStage<T>::class_weight(const TargetsView& y, std::int64_t row,
                                  std::int64_t position) const {
  if (!y.class_weights) return 1.0;
  if (y.labels) {
    // A caller's other threads may have changed it since it was checked.
    const std::int64_t label = y.labels[row * y.label_positions + position];
    return label >= 0 && label < y.classes ? y.class_weights[label] * class_scale_ : 0.0;
  }
  if (loss_.takes_labels())
    return 1.0;  // probability rows: the kernel weighs each class, the mean is over rows
  return y.class_weights[value_at(y.values, row, position) > 0.0 ? 1 : 0] * class_scale_;
}

template <class T>
double LossStage<T>::sample_weight(const TargetsView& y, std::int64_t row,
                                   std::int64_t position) const {
  if (!y.sample_weights) return 1.0;
  const std::int64_t at = y.weight_positions == 1 ? row : row * positions_ + position;
  return y.sample_weights[at] * sample_scale_;
}

// sum: over the rows and positions, in order, of sample weight times class weight.
template <class T>
typename LossStage<T>::BatchWeights LossStage<T>::weigh(const TargetsView& y, RowOrder order,
                                                        std::int64_t rows) const {
  if (!y.sample_weights && !y.class_weights) return {static_cast<double>(rows * positions_), 1.0};
  double sum = 0.0;
  double largest = 0.0;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t row = order[i];
    for (std::int64_t p = 0; p < positions_; ++p) {
      const double w = sample_weight(y, row, p) * class_weight(y, row, p);
      sum += w;
      largest = std::max(largest, w);
    }
  }
  // Where weights of classes are the kernel's, T must hold them, and the rows' beside them.
  const double most = y.class_weights && loss_.takes_labels() ? 0x1p60 : 0x1p1000;
  return {sum, std::min(scale_to_one(largest), most)};
}

// row_losses_: rows x positions_ -> their sum, by the fixed tree over the whole batch, so that no
// share of rows among threads shows. A sum beyond T's range is added up anew in double.
template <class T>
MeanLoss LossStage<T>::mean(std::int64_t rows) const {
  const std::int64_t count = rows * positions_;
  auto sum = static_cast<double>(kernels_.tree_sum(row_losses_.data(), count));
  if (!std::isfinite(sum)) {
    sum = 0.0;
    for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(row_losses_.data()[i]);
  }
  return {sum / last_.scale, last_.sum};
}

template <class T>
bool LossStage<T>::finite(Range rows) const {
  for (std::int64_t i = rows.begin * positions_; i < rows.end * positions_; ++i) {
    if (!std::isfinite(row_losses_.data()[i])) return false;
  }
  return true;
}

// values_(row, position, j) = y(row, position, j), of quantile losses y(row, position, j mod
// target_columns_)
// y: rows x (positions_ x target_columns_), narrow_: (rows x positions_) x target_columns_,
// values_: (rows x positions_) x outputs_. Positions are gathered one after the other, since each
// becomes a padded row.
template <class T>
void LossStage<T>::gather_values(const TargetsView& y, RowOrder order, Range rows) {
  const std::int64_t stride = padded<T>(outputs_);
  const auto gather = [&](Buffer<T>& to, std::int64_t width) {
    T* targets = to.data() + rows.begin * positions_ * width;
    if (y.values.compressed()) {
      expand_rows<T>(y.values, order.after(rows.begin), rows.size(), targets, width);
      return;
    }
    RowsView position = y.values;
    position.columns = target_columns_;
    for (std::int64_t p = 0; p < positions_; ++p) {
      gather_rows<T>(kernels_, position, order.after(rows.begin), rows.size(), nullptr, nullptr,
                     targets + p * width, positions_ * width);
      position.data =
          static_cast<const char*>(position.data) + target_columns_ * position.column_stride;
    }
  };
  if (target_columns_ == outputs_) {
    gather(values_, stride);
    return;
  }
  const std::int64_t narrow = padded<T>(target_columns_);
  gather(narrow_, narrow);
  for (std::int64_t i = rows.begin * positions_; i < rows.end * positions_; ++i) {
    for (std::int64_t j = 0; j < outputs_; ++j) {
      values_.data()[i * stride + j] = narrow_.data()[i * narrow + j % target_columns_];
    }
  }
}

// row_losses_ = w l(z, y), dz = w dl/dz weight_ / total, of the thread's rows
// z, dz: (rows x positions_) x outputs_, y: rows x (positions_ x target_columns_) or
// rows x positions_ labels, row_losses_: rows x positions_
template <class T>
void LossStage<T>::run(const Step<T>& step, ThreadContext& context, const TargetsView& y,
                       RowOrder order, const Tensor<T>& z, const Tensor<T>& dz) {
  if (custom_) return run_custom(step, context, y, order, z, dz);
  const ThreadSlice slice = context.slice();
  const Range rows = step.rows_of(slice);
  const BatchWeights all = weigh(y, order, step.rows);
  if (slice.index == 0) last_ = all;
  if (rows.size() == 0) return;
  const bool class_in_kernel = loss_.takes_labels() && y.class_weights;
  const bool weighted =
      y.sample_weights || (y.class_weights && !class_in_kernel) || all.scale != 1.0;
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    const std::int64_t row = order[i];
    for (std::int64_t p = 0; p < positions_; ++p) {
      const std::int64_t at = i * positions_ + p;
      if (y.labels) labels_.data()[at] = static_cast<std::int32_t>(y.labels[row * positions_ + p]);
      if (!weighted) continue;
      const double w = sample_weight(y, row, p) * (class_in_kernel ? 1.0 : class_weight(y, row, p));
      sample_weights_.data()[at] = static_cast<T>(w * all.scale);
    }
  }
  if (!y.labels) gather_values(y, order, rows);

  const double total = weight_of_all_.value_or(all.sum) * all.scale;
  const std::int64_t stride = padded<T>(outputs_);
  const std::int64_t first = rows.begin * positions_;
  kernels::LossArgs<T> f{};
  f.kind = loss_.kind;
  if (const auto* huber = loss_.options.get_if<Loss::Huber>())
    f.delta = static_cast<T>(huber->delta);
  if (const auto* cross_entropy = loss_.options.get_if<Loss::CrossEntropy>())
    f.label_smoothing = static_cast<T>(cross_entropy->label_smoothing);
  f.rows = rows.size() * positions_;
  f.columns = outputs_;
  f.z = z.row(first);
  f.z_stride = z.stride;
  f.labels = y.labels ? labels_.data() + first : nullptr;
  f.targets = values_.data() + first * stride;
  f.target_stride = stride;
  f.sample_weights = weighted ? sample_weights_.data() + first : nullptr;
  f.class_weights = class_in_kernel ? class_weights_.data() : nullptr;
  f.quantiles = quantiles_.data();
  // Tiny totals would make the scale infinite, and 0 times it NaN.
  constexpr double most = std::numeric_limits<T>::max();
  f.gradient_scale = total > 0.0 ? static_cast<T>(std::min(weight_ / total, most)) : T(0);
  f.dz = dz.data ? dz.row(first) : nullptr;
  f.dz_stride = dz.stride;
  f.row_losses = row_losses_.data() + first;
  kernels_.loss(f);
}

/// row_losses_ = w l, dz = w dl/dz weight_ / total, all rows by the first thread. z, dz: (rows x
/// positions) x columns; the function's gradients: rows x (positions columns) side by side. The
/// barriers are for z, which all threads have written, and dz, which all will read.
template <class T>
void LossStage<T>::run_custom(const Step<T>& step, ThreadContext& context, const TargetsView& y,
                              RowOrder order, const Tensor<T>& z, const Tensor<T>& dz) {
  context.sync_for(Partition::columns);
  if (context.first_thread()) {
    last_ = weigh(y, order, step.rows);
    custom_->run(calls_, kernels_, step.rows, y, order, z, dz.data != nullptr);
    const double total = weight_of_all_.value_or(last_.sum) * last_.scale;
    constexpr double most = std::numeric_limits<T>::max();
    const T scale = total > 0.0 ? static_cast<T>(std::min(weight_ / total, most)) : T(0);
    for (std::int64_t i = 0; i < step.rows; ++i) {
      const std::int64_t row = order[i];
      const T weight =
          static_cast<T>(sample_weight(y, row, 0) * class_weight(y, row, 0) * last_.scale);
      row_losses_.data()[i] = weight * custom_->losses()[i];
      if (!dz.data) continue;
      const T* from = custom_->gradients() + i * outputs_;
      for (std::int64_t p = 0; p < dz.positions; ++p)
        for (std::int64_t j = 0; j < dz.columns; ++j)
          dz.row(i * dz.positions + p)[j] = weight * scale * from[p * dz.columns + j];
    }
  }
  context.sync_for(Partition::rows);
}

// The scales are those of the whole run and not of a batch, so that sums over batches have one
// unit.
template <class T>
void LossStage<T>::prepare(const TargetsView& y, bool of_all_rows) {
  if (custom_) custom_->prepare(y);
  sample_scale_ = y.sample_weights
                      ? scale_to_one(largest_of(y.sample_weights, y.rows * y.weight_positions))
                      : 1.0;
  // The mean over rows of probabilities does not divide by them.
  const bool divided = y.class_weights && (y.labels || !loss_.takes_labels());
  class_scale_ = divided ? scale_to_one(largest_of(y.class_weights, y.classes)) : 1.0;
  weight_of_all_.reset();
  if (of_all_rows) weight_of_all_ = weigh(y, {}, y.rows).sum;
  if (!y.class_weights || !loss_.takes_labels()) return;
  for (std::int64_t j = 0; j < outputs_; ++j)
    class_weights_.data()[j] = static_cast<T>(y.class_weights[j] * class_scale_);
}

#define CHAINRULE_MEMBERS(T) template class LossStage<T>;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule::engine

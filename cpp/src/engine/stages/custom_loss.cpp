// SPDX-License-Identifier: Apache-2.0
#include "engine/stages/custom_loss.hpp"

#include <limits>
#include <string>

#include "chainrule/error.hpp"
#include "engine/input/compressed_rows.hpp"
#include "engine/input/gather.hpp"
#include "engine/stages/packed_rows.hpp"

namespace chainrule::engine {

template <class T>
CustomLossRows<T>::CustomLossRows(const CustomLoss& function, const Shape& shape,
                                  std::int64_t batch_size)
    : function_(function),
      shape_(shape),
      batch_size_(batch_size),
      outputs_(batch_size * shape.size()),
      losses_(batch_size),
      gradients_(batch_size * shape.size()) {}

// y.values: rows x columns, or labels: rows x positions. Memory grows with the widest targets so
// far. Numbers are gathered at a padded stride, for which there must be room.
template <class T>
void CustomLossRows<T>::prepare(const TargetsView& y) {
  const std::int64_t numbers = y.labels ? 0 : batch_size_ * padded<T>(y.values.columns);
  if (targets_.size() < numbers) targets_ = Buffer<T>(numbers);
  if (y.labels && labels_.size() < batch_size_ * y.label_positions)
    labels_ = Buffer<std::int64_t>(batch_size_ * y.label_positions);
}

// z: (rows x positions) x columns at a stride -> outputs_: rows x shape.size() side by side;
// losses_: rows, gradients_: as outputs_. The function gets finite outputs alone: rows that
// diverged give losses of NaN, by which the caller finds the batch. A function may leave numbers as
// they are, so losses and gradients begin as zeros; after a failure they are zeros again, and the
// step is dropped.
template <class T>
void CustomLossRows<T>::run(FunctionCalls& calls, const kernels::KernelTable<T>& kernels,
                            std::int64_t rows, const TargetsView& y, RowOrder order,
                            const Tensor<T>& z, bool gradients) {
  pack_rows(z, rows, outputs_.data());
  gradients_.clear();
  if (first_bad_row(outputs_.data(), rows, shape_.size()) >= 0) {
    std::fill_n(losses_.data(), rows, std::numeric_limits<T>::quiet_NaN());
    return;
  }
  gather_targets(kernels, rows, y, order);
  losses_.clear();
  const bool done = calls.call([&] {
    function_(LossBatch<T>{.rows = rows,
                           .shape = shape_,
                           .outputs = outputs_.data(),
                           .targets = y.labels ? nullptr : targets_.data(),
                           .target_columns = y.labels ? y.label_positions : y.values.columns,
                           .labels = y.labels ? labels_.data() : nullptr,
                           .losses = losses_.data(),
                           .gradients = gradients ? gradients_.data() : nullptr});
    check(rows, order, gradients);
  });
  if (done) return;
  losses_.clear();
  gradients_.clear();
}

// order: the batch's rows in y; targets_: rows x columns side by side, labels_: rows x positions.
// Gathering pads rows. They are then moved together from the second on: each goes to where it is
// not yet needed, since columns <= stride.
template <class T>
void CustomLossRows<T>::gather_targets(const kernels::KernelTable<T>& kernels, std::int64_t rows,
                                       const TargetsView& y, RowOrder order) {
  if (y.labels) {
    for (std::int64_t i = 0; i < rows; ++i)
      std::copy_n(y.labels + order[i] * y.label_positions, y.label_positions,
                  labels_.data() + i * y.label_positions);
    return;
  }
  const std::int64_t columns = y.values.columns;
  const std::int64_t stride = padded<T>(columns);
  if (y.values.compressed()) {
    expand_rows<T>(y.values, order, rows, targets_.data(), stride);
  } else {
    gather_rows<T>(kernels, y.values, order, rows, nullptr, nullptr, targets_.data(), stride);
  }
  for (std::int64_t i = 1; i < rows; ++i)
    std::copy_n(targets_.data() + i * stride, columns, targets_.data() + i * columns);
}

/// Throws Error where the function has made numbers that are not finite of outputs that are.
template <class T>
void CustomLossRows<T>::check(std::int64_t rows, RowOrder order, bool gradients) const {
  const auto refuse = [&](const char* what, std::int64_t row) {
    throw Error("loss '" + function_.name() + "' gave " + what + " of NaN or infinity for row " +
                std::to_string(order[row]) + ", whose outputs are finite");
  };
  const std::int64_t bad_loss = first_bad_row(losses_.data(), rows, 1);
  if (bad_loss >= 0) refuse("a loss", bad_loss);
  if (!gradients) return;
  const std::int64_t bad_gradient = first_bad_row(gradients_.data(), rows, shape_.size());
  if (bad_gradient >= 0) refuse("a gradient", bad_gradient);
}

template class CustomLossRows<float>;
template class CustomLossRows<double>;

}  // namespace chainrule::engine

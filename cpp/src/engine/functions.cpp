// SPDX-License-Identifier: Apache-2.0
// What can be asked of losses and data without a network.
#include <cmath>
#include <cstring>
#include <string>

#include "chainrule/error.hpp"
#include "chainrule/network.hpp"
#include "engine/compressed_rows.hpp"
#include "engine/gather.hpp"
#include "engine/loss_stage.hpp"
#include "engine/threads.hpp"
#include "kernels/dispatch.hpp"

namespace chainrule {
namespace {

/// A row-major array of the caller's as a padded tensor.
template <class T>
struct PaddedCopy {
  PaddedCopy(const T* rows, std::int64_t count, std::int64_t columns)
      : buffer(count * engine::padded<T>(columns)),
        tensor{buffer.data(), columns, engine::padded<T>(columns)} {
    for (std::int64_t i = 0; i < count && rows; ++i)
      std::copy_n(rows + i * columns, columns, tensor.row(i));
  }

  void copy_to(T* rows, std::int64_t count) const {
    for (std::int64_t i = 0; i < count; ++i)
      std::copy_n(tensor.row(i), tensor.columns, rows + i * tensor.columns);
  }

  engine::Buffer<T> buffer;
  engine::Tensor<T> tensor;
};

template <class T>
bool row_is_finite(const RowsView& x, std::int64_t row) {
  bool finite = true;
  for (std::int64_t j = 0; j < x.columns; ++j) {
    finite &= std::isfinite(static_cast<T>(engine::value_at(x, row, j)));
  }
  return finite;
}

/// One pass that vectorises: v * 0 is 0 for every finite v and NaN otherwise.
template <class T, class S>
bool packed_row_is_finite(const RowsView& x, std::int64_t row) {
  const char* values = static_cast<const char*>(x.data) + row * x.row_stride;
  const auto zero_if_finite = [&](std::int64_t column) {
    S value;
    std::memcpy(&value, values + column * static_cast<std::int64_t>(sizeof(S)), sizeof(S));
    return static_cast<T>(value) * T(0);
  };
  T sums[16] = {};
  std::int64_t j = 0;
  for (; j + 16 <= x.columns; j += 16) {
    for (std::int64_t i = 0; i < 16; ++i) sums[i] += zero_if_finite(j + i);
  }
  for (; j < x.columns; ++j) sums[0] += zero_if_finite(j);
  T sum = 0;
  for (const T s : sums) sum += s;
  return sum == T(0);
}

[[noreturn]] void throw_not_finite(const char* name, std::int64_t row, std::int64_t column,
                                   double value) {
  const std::string what = std::isnan(value)   ? "NaN"
                           : std::isinf(value) ? "infinite"
                                               : std::to_string(value) + ", too large for float32";
  throw Error(std::string(name) + " must be finite; row " + std::to_string(row) + ", column " +
              std::to_string(column) + " is " + what);
}

/// The stored values of compressed rows, as one row of a table.
template <class T>
void check_stored_values(const RowsView& x, const char* name) {
  const std::int64_t size = x.type == DataType::float32 ? 4 : 8;
  const RowsView values{x.data, x.type, 1, x.stored, x.stored * size, size};
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const engine::StoredRange stored(x, i);
    for (std::int64_t at = stored.begin; at < stored.end; ++at) {
      const double v = engine::value_at(values, 0, at);
      if (std::isfinite(static_cast<T>(v))) continue;
      const std::int64_t column = x.wide_indices ? static_cast<const std::int64_t*>(x.indices)[at]
                                                 : static_cast<const std::int32_t*>(x.indices)[at];
      throw_not_finite(name, i, column, v);
    }
  }
}

}  // namespace

template <class T>
double loss_and_gradient(const Loss& loss, const T* z, std::int64_t rows, std::int64_t columns,
                         const TargetsView& y, T* dz) {
  if (rows < 1 || columns < 1) throw Error("outputs is empty");
  if (y.rows != rows) {
    throw Error("outputs has " + std::to_string(rows) + " rows but y has " +
                std::to_string(y.rows));
  }
  engine::LossStage<T>::check(loss, y, columns);
  engine::LossStage<T> stage(kernels::table<T>(kernels::active()), loss, columns, rows);
  stage.prepare(y);
  const PaddedCopy<T> outputs(z, rows, columns);
  const PaddedCopy<T> gradient(nullptr, dz ? rows : 0, columns);
  engine::Step<T> step;
  step.rows = rows;
  engine::run_team(1, [&](engine::Team team) {
    stage.run(step, {team.index, team.size}, y, nullptr, 0, outputs.tensor,
              dz ? gradient.tensor : engine::Tensor<T>{});
  });
  if (dz) gradient.copy_to(dz, rows);
  return stage.mean(rows).value();
}

template <class T>
void apply_link(const Loss& loss, T* outputs, std::int64_t rows, std::int64_t columns) {
  kernels::ActivationArgs<T> f{};
  switch (loss.link()) {
    case Loss::Link::identity:
      return;
    case Loss::Link::softmax:
      f.kind = kernels::ActivationKind::softmax;
      break;
    case Loss::Link::sigmoid:
      f.kind = kernels::ActivationKind::sigmoid;
      break;
    case Loss::Link::exponential:
      f.kind = kernels::ActivationKind::exponential;
      break;
  }
  if (rows < 1 || columns < 1) return;
  const PaddedCopy<T> padded(outputs, rows, columns);
  f.rows = rows;
  f.columns = columns;
  f.stride = padded.tensor.stride;
  engine::run_team(1, [&](engine::Team) {
    kernels::table<T>(kernels::active())
        .activation_forward(f, padded.tensor.data, padded.tensor.data);
  });
  padded.copy_to(outputs, rows);
}

template <class T>
void check_finite(const RowsView& x, const char* name) {
  if (x.type != DataType::float32 && x.type != DataType::float64) return;
  if (x.compressed()) {
    check_stored_values<T>(x, name);
    return;
  }
  const bool single = x.type == DataType::float32;
  const bool packed = x.column_stride == (single ? 4 : 8);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const bool finite = !packed  ? row_is_finite<T>(x, i)
                        : single ? packed_row_is_finite<T, float>(x, i)
                                 : packed_row_is_finite<T, double>(x, i);
    if (finite) continue;
    for (std::int64_t j = 0; j < x.columns; ++j) {
      const double v = engine::value_at(x, i, j);
      if (std::isfinite(static_cast<T>(v))) continue;
      throw_not_finite(name, i, j, v);
    }
  }
}

template <class T>
void check_finite(const TargetsView& y, const char* name) {
  if (!y.labels) check_finite<T>(y.values, name);
}

#define CHAINRULE_INSTANTIATE(T)                                                       \
  template double loss_and_gradient(const Loss&, const T*, std::int64_t, std::int64_t, \
                                    const TargetsView&, T*);                           \
  template void apply_link(const Loss&, T*, std::int64_t, std::int64_t);               \
  template void check_finite<T>(const RowsView&, const char*);                         \
  template void check_finite<T>(const TargetsView&, const char*);

CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/inference/infers.hpp"
#include "engine/stages/stage.hpp"

namespace chainrule::engine {

/// y(i, j) = x(i, j) scale(j) + offset(j) with fixed numbers for each column: Rescaling and
/// Normalization. Public within the engine because a plan fuses the first of them into the
/// gathering of the input, with the same multiply-add, so that the bits do not tell.
template <class T>
class AffineStage final : public Stage<T>, public Infers<T> {
 public:
  /// `fill` writes the present scale and offset, `fill_wide` adds the columns that are to be worked
  /// out in double; both may change between runs, never during one.
  using Fill = std::function<void(T* scale, T* offset)>;
  using WideColumns = std::vector<kernels::WideColumn>;
  using FillWide = std::function<void(const T* offset, WideColumns& wide)>;

  AffineStage(const kernels::KernelTable<T>& kernels, std::string name, std::int64_t columns,
              Fill fill, FillWide fill_wide)
      : kernels_(kernels),
        name_(std::move(name)),
        columns_(columns),
        fill_(std::move(fill)),
        fill_wide_(std::move(fill_wide)),
        scale_(padded<T>(columns)),
        offset_(padded<T>(columns)) {}

  std::string describe() const override { return name_; }
  std::int64_t outputs() const override { return columns_; }

  void refresh() override { fill_(scale_.data(), offset_.data()); }
  /// To be called, after refresh(), before rows of numbers that float rounds are gathered.
  void refresh_wide() {
    wide_.clear();
    if (sizeof(T) == 4) fill_wide_(offset_.data(), wide_);
  }
  const T* scale() const { return scale_.data(); }
  const T* offset() const { return offset_.data(); }
  const WideColumns& wide() const { return wide_; }

  /// Whether so much is added that float's digits are spent on it. The relative
  /// differences of values that remain are then below 1e-4.
  static bool is_wide(double offset) { return std::abs(offset) >= 1024.0; }

  // y = x scale + offset with one rounding
  // x, y: rows x columns, scale_, offset_: columns
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    kernels_.affine(this->x.row(rows.begin), scale_.data(), offset_.data(), this->y.row(rows.begin),
                    rows.size(), columns_, this->x.stride);
  }

  // dx = dy scale, by the same kernel without an offset
  // dy, dx: rows x columns. There are no gradients: a Normalization's numbers come from data.
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, context.slice());
    kernels_.affine(this->dy.row(rows.begin), scale_.data(), nullptr, this->dx.row(rows.begin),
                    rows.size(), columns_, this->x.stride);
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    kernels_.affine(p.x, scale_.data(), offset_.data(), p.y, p.rows, columns_, p.x_stride);
  }

 private:
  const kernels::KernelTable<T>& kernels_;
  std::string name_;
  std::int64_t columns_;
  Fill fill_;
  FillWide fill_wide_;
  Buffer<T> scale_;
  Buffer<T> offset_;
  WideColumns wide_;
};

}  // namespace chainrule::engine

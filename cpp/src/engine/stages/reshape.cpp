// SPDX-License-Identifier: Apache-2.0
// The same values in the same order, in rows of other lengths. Rows are padded, so they are copied.
#include "engine/stages/reshape.hpp"

#include <algorithm>

#include "engine/inference/infers.hpp"

namespace chainrule::engine {
namespace {

/// Copies `rows` rows of the batch between tensors of as many values; strides count values.
template <class T>
void copy_values(std::int64_t rows, const T* from, std::int64_t from_columns,
                 std::int64_t from_stride, T* to, std::int64_t to_columns, std::int64_t to_stride,
                 std::int64_t size) {
  std::int64_t from_column = 0;
  std::int64_t to_column = 0;
  for (std::int64_t left = rows * size; left > 0;) {
    const std::int64_t run = std::min(from_columns - from_column, to_columns - to_column);
    std::copy_n(from + from_column, run, to + to_column);
    left -= run;
    from_column += run;
    to_column += run;
    if (from_column == from_columns) {
      from += from_stride;
      from_column = 0;
    }
    if (to_column == to_columns) {
      to += to_stride;
      to_column = 0;
    }
  }
}

template <class T>
class ReshapeStage final : public Stage<T>, public Infers<T> {
 public:
  ReshapeStage(std::int64_t x_columns, const Shape& to)
      : x_columns_(x_columns), columns_(to.columns()), size_(to.size()) {}

  std::string describe() const override { return "reshape"; }
  std::int64_t outputs() const override { return columns_; }

  // x: (rows x positions of x) x columns of x, y: (rows x positions of y) x columns of y
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = step.rows_of(context.slice());
    copy(rows, this->x, this->y);
  }

  // dy: as y, dx: as x
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = step.rows_of(context.slice());
    copy(rows, this->dy, this->dx);
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    copy_values(p.rows * x_columns_ / size_, p.x, x_columns_, p.x_stride, p.y, columns_, p.y_stride,
                size_);
  }
  bool infers_in_place() const override { return false; }

 private:
  void copy(Range rows, const Tensor<T>& from, const Tensor<T>& to) const {
    copy_values(rows.size(), from.row(rows.begin * from.positions), from.columns, from.stride,
                to.row(rows.begin * to.positions), to.columns, to.stride, size_);
  }

  std::int64_t x_columns_;
  std::int64_t columns_;
  std::int64_t size_;  // values of a row of the batch
};

}  // namespace

template <class T>
std::unique_ptr<Stage<T>> make_reshape(std::int64_t x_columns, const Shape& to) {
  return std::make_unique<ReshapeStage<T>>(x_columns, to);
}

template std::unique_ptr<Stage<float>> make_reshape(std::int64_t, const Shape&);
template std::unique_ptr<Stage<double>> make_reshape(std::int64_t, const Shape&);

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
// y(i, j) = x(i, columns[j]): some columns, in any order, maybe more than once.
#include <algorithm>

#include "chainrule/shape_layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

template <class T>
class TakeStage final : public Stage<T>, public Infers<T> {
 public:
  TakeStage(const StageContext<T>& c, std::vector<std::int64_t> columns)
      : inputs_(c.inputs), columns_(std::move(columns)) {}

  std::string describe() const override { return "take"; }
  std::int64_t outputs() const override { return static_cast<std::int64_t>(columns_.size()); }

  Cost cost(std::int64_t rows) const override {
    const std::int64_t numbers = 2 * outputs() + (this->dx.data ? outputs() + inputs_ : 0);
    return {0.0, static_cast<double>(rows * numbers) * sizeof(T)};
  }

  // y(i, j) = x(i, columns[j])
  // x: rows x inputs, y: rows x columns
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    take(rows.size(), this->x.row(rows.begin), this->x.stride, this->y.row(rows.begin),
         this->y.stride);
  }

  // dx(i, c) = sum over j, the last first, of dy(i, j) where columns[j] = c
  // dy: rows x columns, dx: rows x inputs
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, context.slice());
    for (std::int64_t i = rows.begin; i < rows.end; ++i) {
      const T* from = this->dy.row(i);
      T* to = this->dx.row(i);
      std::fill_n(to, this->dx.stride, T(0));
      for (std::size_t j = columns_.size(); j-- > 0;) to[columns_[j]] = to[columns_[j]] + from[j];
    }
  }

  void infer(const InferArgs<T>& p) const noexcept override {
    take(p.rows, p.x, p.x_stride, p.y, p.y_stride);
  }
  bool infers_in_place() const override { return false; }

 private:
  /// The padding of rows of y, `to`, becomes zero.
  void take(std::int64_t rows, const T* from, std::int64_t x_stride, T* to,
            std::int64_t y_stride) const {
    for (std::int64_t i = 0; i < rows; ++i, from += x_stride) {
      T* const end = to + y_stride;
      for (const std::int64_t column : columns_) *to++ = from[column];
      to = std::fill_n(to, end - to, T(0));
    }
  }

  std::int64_t inputs_;
  std::vector<std::int64_t> columns_;
};

}  // namespace

template <class T>
void add_take(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const std::vector<std::int64_t>& columns = dynamic_cast<const Take&>(layer).columns;
  bool same = static_cast<std::int64_t>(columns.size()) == context.inputs;
  for (std::size_t j = 0; j < columns.size(); ++j)
    same = same && columns[j] == static_cast<std::int64_t>(j);
  if (!same) stages.push_back(std::make_unique<TakeStage<T>>(context, columns));
}

CHAINRULE_INSTANTIATE_FACTORY(add_take)

}  // namespace chainrule::engine

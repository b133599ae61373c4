// SPDX-License-Identifier: Apache-2.0
// Functions of the caller's as a stage. The first thread calls them with the whole batch while the
// others wait for the columns that it owns, all of them.
#include "chainrule/lambda.hpp"

#include <string>

#include "chainrule/error.hpp"
#include "engine/stages/packed_rows.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

template <class T>
class LambdaStage final : public Stage<T> {
 public:
  LambdaStage(const StageContext<T>& c, const Lambda& lambda)
      : calls_(c.calls),
        lambda_(lambda),
        x_shape_(c.shapes[0]),
        y_shape_(lambda.output_shape(c.shapes)) {
    const std::int64_t batch = c.rows / y_shape_.positions();
    x_ = Buffer<T>(batch * x_shape_.size());
    y_ = Buffer<T>(batch * y_shape_.size());
    if (!c.backward) return;
    dx_ = Buffer<T>(batch * x_shape_.size());
    dy_ = Buffer<T>(batch * y_shape_.size());
  }

  std::string describe() const override { return "lambda " + lambda_.name(); }
  std::int64_t outputs() const override { return y_shape_.columns(); }
  Partition partition() const override { return Partition::columns; }

  // y = forward(x)
  // x: rows x x_shape, y: rows x y_shape, both copied, since functions read rows without padding. A
  // function may leave numbers as they are, so y begins as zeros. In a prediction NaN is passed on
  // as it is; in training it is an error unless x had it already.
  void forward(const Step<T>& step, ThreadContext& context) override {
    if (!context.first_thread()) return;
    pack_rows(this->x, step.rows, x_.data());
    y_.clear();
    const bool done = calls_.call([&] {
      lambda_.forward({step.rows, x_shape_, y_shape_, step.training, x_.data(), y_.data()});
      if (step.training) check("forward", y_, y_shape_, x_, x_shape_, step.rows);
    });
    if (!done) y_.clear();
    unpack_rows(y_.data(), step.rows, this->y);
  }

  // dx = backward(x, y, dy)
  // x, dx: rows x x_shape, y, dy: rows x y_shape. x_ and y_ are packed again: a function may have
  // written to what it got.
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!context.first_thread() || !this->dx.data) return;
    pack_rows(this->x, step.rows, x_.data());
    pack_rows(this->y, step.rows, y_.data());
    pack_rows(this->dy, step.rows, dy_.data());
    dx_.clear();
    const bool done = calls_.call([&] {
      lambda_.backward(
          {step.rows, x_shape_, y_shape_, x_.data(), y_.data(), dy_.data(), dx_.data()});
      check("backward", dx_, x_shape_, dy_, y_shape_, step.rows);
    });
    if (!done) dx_.clear();
    unpack_rows(dx_.data(), step.rows, this->dx);
  }

 private:
  /// Throws Error where a function has made numbers that are not finite of such that are.
  void check(const char* function, const Buffer<T>& gave, const Shape& gave_shape,
             const Buffer<T>& read, const Shape& read_shape, std::int64_t rows) const {
    const std::int64_t row = first_bad_row(gave.data(), rows, gave_shape.size());
    if (row < 0 || first_bad_row(read.data(), rows, read_shape.size()) >= 0) return;
    throw Error("lambda '" + lambda_.name() + "': " + function + " gave NaN or infinity in row " +
                std::to_string(row) + " of the batch, for numbers that are finite");
  }

  FunctionCalls& calls_;
  Lambda lambda_;
  Shape x_shape_;
  Shape y_shape_;
  Buffer<T> x_, y_, dx_, dy_;  // rows side by side
};

}  // namespace

template <class T>
void add_lambda(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  context.calls.expect();
  stages.push_back(std::make_unique<LambdaStage<T>>(context, dynamic_cast<const Lambda&>(layer)));
}

template void add_lambda(const Layer&, const StageContext<float>&, Stages<float>&);
template void add_lambda(const Layer&, const StageContext<double>&, Stages<double>&);

}  // namespace chainrule::engine

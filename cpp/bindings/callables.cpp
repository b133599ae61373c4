// SPDX-License-Identifier: Apache-2.0
#include "bindings/callables.hpp"

#include <pybind11/numpy.h>

#include <memory>

#include "bindings/gil.hpp"
#include "chainrule/error.hpp"

namespace chainrule::bindings {
namespace {

namespace py = pybind11;

/// A weak reference that threads without the lock may copy and destroy.
class WeakOwner {
 public:
  explicit WeakOwner(const py::object& owner)
      : reference_(new py::weakref(owner), [](py::weakref* reference) {
          if (!Py_IsInitialized()) return;
          const AcquiredGil lock;
          delete reference;
        }) {}

  /// Calls `use(owner)` with the lock.
  template <class Use>
  void call(const Use& use) const {
    const AcquiredGil lock;
    const py::object owner = (*reference_)();
    if (owner.is_none()) throw StateError("the Python function of a loss or layer is gone");
    use(owner);
  }

 private:
  std::shared_ptr<py::weakref> reference_;
};

std::vector<std::int64_t> with_rows(std::int64_t rows, const Shape& shape) {
  std::vector<std::int64_t> extents = shape.extents();
  extents.insert(extents.begin(), rows);
  return extents;
}

/// An array of its own, since a function may keep it.
template <class T>
py::array copied(const std::vector<std::int64_t>& shape, const T* values) {
  return py::array_t<T>(shape, values);
}

/// An array over memory of the core's, to be written to before the call returns.
template <class T>
py::object written(const std::vector<std::int64_t>& shape, T* values) {
  if (!values) return py::none();
  return py::array_t<T>(shape, values, py::capsule(values, [](void*) {}));
}

/// One label a row, or one for each position of the outputs.
template <class T>
std::vector<std::int64_t> label_shape(const LossBatch<T>& batch) {
  std::vector<std::int64_t> shape{batch.rows};
  if (batch.target_columns == batch.shape.positions() && batch.shape.rank() > 1) {
    shape = with_rows(batch.rows, batch.shape);
    shape.pop_back();
  } else if (batch.target_columns > 1) {
    shape.push_back(batch.target_columns);
  }
  return shape;
}

template <class T>
void run_loss(const py::object& owner, const LossBatch<T>& batch) {
  const std::vector<std::int64_t> shape = with_rows(batch.rows, batch.shape);
  const bool alike = batch.target_columns == batch.shape.size();
  const py::array y_true =
      batch.labels
          ? copied(label_shape(batch), batch.labels)
          : copied(alike ? shape : std::vector{batch.rows, batch.target_columns}, batch.targets);
  call_method(owner, "run", y_true, copied(shape, batch.outputs),
              written({batch.rows}, batch.losses), written(shape, batch.gradients));
}

template <class T>
void run_forward(const py::object& owner, const LambdaForward<T>& pass) {
  call_method(owner, "run_forward", copied(with_rows(pass.rows, pass.x_shape), pass.x),
              written(with_rows(pass.rows, pass.y_shape), pass.y));
}

template <class T>
void run_backward(const py::object& owner, const LambdaBackward<T>& pass) {
  const std::vector<std::int64_t> x_shape = with_rows(pass.rows, pass.x_shape);
  const std::vector<std::int64_t> y_shape = with_rows(pass.rows, pass.y_shape);
  call_method(owner, "run_backward", copied(x_shape, pass.x), copied(y_shape, pass.y),
              copied(y_shape, pass.dy), written(x_shape, pass.dx));
}

}  // namespace

Loss custom_loss(const std::string& name, const py::object& owner) {
  return Loss::custom(name, [owner = WeakOwner(owner)]<class T>(const LossBatch<T>& batch) {
    owner.call([&](const py::object& found) { run_loss(found, batch); });
  });
}

Lambda lambda_layer(const std::string& name, const py::object& owner,
                    const std::optional<std::vector<std::int64_t>>& output_shape) {
  const auto forward = [owner = WeakOwner(owner)]<class T>(const LambdaForward<T>& pass) {
    owner.call([&](const py::object& found) { run_forward(found, pass); });
  };
  const auto backward = [owner = WeakOwner(owner)]<class T>(const LambdaBackward<T>& pass) {
    owner.call([&](const py::object& found) { run_backward(found, pass); });
  };
  if (output_shape) return Lambda(name, forward, backward, Shape(*output_shape));
  return Lambda(name, forward, backward);
}

}  // namespace chainrule::bindings

// SPDX-License-Identifier: Apache-2.0
// StreamingPredictor: sequences frame by frame.
#include "chainrule/streaming_predictor.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "chainrule/network.hpp"

namespace chainrule::bindings {
namespace {

/// One sequence, for one thread at a time, of a predictor that its copies share.
template <class T>
class Stream {
 public:
  explicit Stream(const Network<T>& network)
      : predictor_(std::make_shared<StreamingPredictor<T>>(network)), state_(*predictor_) {}
  Stream(const Stream& other) : predictor_(other.predictor_), state_(*predictor_) {
    const std::lock_guard lock(other.mutex_);
    state_.copy_from(other.state_);
  }

  std::int64_t inputs() const { return predictor_->inputs(); }

  Values<T> step(const Values<T>& frames) {
    Values<T> outputs({frames.shape(0), predictor_->outputs()});
    const std::span<const T> from(frames.data(), static_cast<std::size_t>(frames.size()));
    const std::span<T> to(outputs.mutable_data(), static_cast<std::size_t>(outputs.size()));
    const ReleasedGil release;
    const std::lock_guard lock(mutex_);
    check_finite<T>(view(from, inputs()), "frame", {}, predictor_->missing_columns());
    predictor_->step_checked(from, to, state_);
    return outputs;
  }
  void reset() {
    const std::lock_guard lock(mutex_);
    state_.reset();
  }
  void update(const Network<T>& network) { predictor_->update(network); }

 private:
  std::shared_ptr<StreamingPredictor<T>> predictor_;
  typename StreamingPredictor<T>::StreamState state_;
  mutable std::mutex mutex_;  // of the state; held without the GIL but for a moment
};

template <class T>
void bind_stream(py::module_& module, const char* name) {
  py::class_<Stream<T>>(module, name)
      .def(py::init<const Network<T>&>(), py::arg("network"))
      .def(py::init<const Stream<T>&>(), py::arg("other"))
      .def_property_readonly("inputs", &Stream<T>::inputs)
      .def("step", &Stream<T>::step, py::arg("frames"))
      .def("reset", &Stream<T>::reset)
      .def("update", &Stream<T>::update, py::arg("network"));
}

}  // namespace

void init_streaming_predictor(py::module_& module) {
  bind_stream<float>(module, "StreamingPredictor32");
  bind_stream<double>(module, "StreamingPredictor64");
}

}  // namespace chainrule::bindings

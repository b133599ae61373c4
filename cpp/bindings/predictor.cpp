// SPDX-License-Identifier: Apache-2.0
// Predictor: predictions from a copy of a network's weights.
#include "chainrule/predictor.hpp"

#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "bindings/quantization.hpp"
#include "chainrule/network.hpp"

namespace chainrule::bindings {
namespace {

/// Rows that a scratch has memory for.
constexpr std::int64_t kPieceRows = 64;

/// A predictor with a scratch for each call under way.
template <class T>
class SharedPredictor {
 public:
  SharedPredictor(const Network<T>& network, const Quantization& quantization)
      : predictor(network, Loss::Link::identity, quantization) {}

  void predict(std::span<const T> x, std::span<T> y) {
    std::unique_ptr<Scratch> scratch = take();
    predictor.predict_checked(x, y, *scratch);
    const std::lock_guard lock(mutex_);
    spare_.push_back(std::move(scratch));
  }

  Predictor<T> predictor;

 private:
  using Scratch = typename Predictor<T>::Scratch;

  std::unique_ptr<Scratch> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!spare_.empty()) {
        std::unique_ptr<Scratch> scratch = std::move(spare_.back());
        spare_.pop_back();
        return scratch;
      }
    }
    return std::make_unique<Scratch>(predictor, kPieceRows);
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> spare_;
};

template <class T>
Values<T> predict_by(SharedPredictor<T>& self, const Values<T>& x, std::optional<Values<T>> out) {
  if (x.ndim() != 2) throw Error("x has " + std::to_string(x.ndim()) + " dimensions, expected 2");
  const std::int64_t columns = self.predictor.inputs();
  if (x.shape(1) != columns)
    throw Error("x has rows of " + std::to_string(x.shape(1)) + " numbers; the network expects " +
                std::to_string(columns));
  const std::int64_t rows = x.shape(0);
  check_outputs<T>(out, rows, self.predictor.outputs());
  Values<T> y = out ? *out : Values<T>({rows, self.predictor.outputs()});
  const std::span<const T> from(x.data(), static_cast<std::size_t>(x.size()));
  const std::span<T> to(y.mutable_data(), static_cast<std::size_t>(y.size()));
  const ReleasedGil release;
  self.predict(from, to);
  return y;
}

template <class T>
void bind_predictor(py::module_& module, const char* name) {
  using Self = SharedPredictor<T>;
  py::class_<Self>(module, name)
      .def(
          py::init([](const Network<T>& network, const std::string& weights, const Ranges& ranges) {
            return std::make_unique<Self>(network, quantization_of(weights, ranges));
          }),
          py::arg("network"), py::arg("weights") = "unchanged", py::arg("ranges") = Ranges())
      .def("predict", &predict_by<T>, py::arg("x"), py::arg("out").noconvert() = py::none())
      .def(
          "update", [](Self& self, const Network<T>& network) { self.predictor.update(network); },
          py::arg("network"))
      .def_static(
          "calibrate",
          [](const Network<T>& network, const RowsOrList& x) {
            const InputViews rows(x, "x");
            Quantization found;
            {
              const ReleasedGil release;
              found = Predictor<T>::calibrate(network, rows);
            }
            Ranges ranges;
            for (const InputRange& range : found.ranges) ranges.emplace_back(range.low, range.high);
            return ranges;
          },
          py::arg("network"), py::arg("x"),
          "Return the range of what enters each dense layer, for int8.");
}

}  // namespace

void init_predictor(py::module_& module) {
  bind_predictor<float>(module, "Predictor32");
  bind_predictor<double>(module, "Predictor64");
}

}  // namespace chainrule::bindings

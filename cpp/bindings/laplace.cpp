// SPDX-License-Identifier: Apache-2.0
#include "chainrule/laplace.hpp"

#include <pybind11/stl.h>

#include <functional>
#include <memory>
#include <optional>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"

namespace chainrule::bindings {
namespace {

template <class T>
std::unique_ptr<Laplace> make_laplace(const Network<T>& network, const RowsOrList& x, const Rows& y,
                                      std::optional<double> prior_precision,
                                      std::optional<double> noise, int num_threads,
                                      const std::optional<Weights>& sample_weight) {
  const InputViews rows(x, "x");
  const TargetsView targets = targets_view(y, sample_weight, nullptr);
  Poll poll;
  return poll.run([&] {
    return std::make_unique<Laplace>(network, rows, targets,
                                     LaplaceOptions{prior_precision, noise, num_threads},
                                     std::ref(poll));
  });
}

py::tuple predict_with_deviations(const Laplace& self, const RowsOrList& x) {
  const InputViews rows(x, "x");
  Values<double> means({rows.rows(), self.outputs()});
  Values<double> deviations({rows.rows(), self.outputs()});
  double* const to = means.mutable_data();
  double* const to_deviations = deviations.mutable_data();
  Poll poll;
  poll.run([&] { self.predict(rows, to, to_deviations, std::ref(poll)); });
  return py::make_tuple(means, deviations);
}

}  // namespace

void init_laplace(py::module_& module) {
  py::class_<Laplace>(module, "Laplace")
      .def_static("of", &make_laplace<float>, py::arg("network"), py::arg("x"), py::arg("y"),
                  py::arg("prior_precision"), py::arg("noise"), py::arg("num_threads"),
                  py::arg("sample_weight"))
      .def_static("of", &make_laplace<double>, py::arg("network"), py::arg("x"), py::arg("y"),
                  py::arg("prior_precision"), py::arg("noise"), py::arg("num_threads"),
                  py::arg("sample_weight"))
      .def_property_readonly("prior_precision", &Laplace::prior_precision)
      .def_property_readonly("noise", &Laplace::noise)
      .def_property_readonly("effective_parameters", &Laplace::effective_parameters)
      .def_property_readonly("log_evidence", &Laplace::log_evidence)
      .def("predict", &predict_with_deviations, py::arg("x"),
           "Return means and standard deviations, rows x outputs.");
}

}  // namespace chainrule::bindings

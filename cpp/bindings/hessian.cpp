// SPDX-License-Identifier: Apache-2.0
#include "chainrule/hessian.hpp"

#include <pybind11/stl.h>

#include <functional>
#include <optional>
#include <tuple>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "chainrule/network.hpp"

namespace chainrule::bindings {
namespace {

template <class T>
Hessian make_hessian(const Network<T>& network, const RowsOrList& x, const RowsOrList& y,
                     const py::object& loss, int num_threads,
                     const std::optional<Weights>& sample_weight,
                     const std::optional<ClassWeights>& class_weight,
                     const std::optional<std::vector<double>>& loss_weights) {
  const InputViews rows(x, "x");
  const TargetViews targets(y, sample_weight, class_weight);
  const LossList losses(loss, loss_weights);
  const ReleasedGil release;
  return Hessian(network, rows, targets, losses, num_threads);
}

template <class T>
void bind_init(py::class_<Hessian>& hessian) {
  // It reads the rows in place, from the arrays themselves and no copies of them.
  hessian.def(py::init(&make_hessian<T>), py::arg("network"), py::arg("x").noconvert(),
              py::arg("y").noconvert(), py::arg("loss"), py::arg("num_threads") = 0,
              py::arg("sample_weight").noconvert() = py::none(),
              py::arg("class_weight").noconvert() = py::none(),
              py::arg("loss_weights") = py::none(), py::keep_alive<1, 3>(), py::keep_alive<1, 4>(),
              py::keep_alive<1, 7>(), py::keep_alive<1, 8>());
}

Weights multiply(Hessian& self, const Weights& v) {
  if (v.size() != self.size())
    throw py::value_error("v has " + std::to_string(v.size()) + " entries; there are " +
                          std::to_string(self.size()) + " trained parameters");
  Weights product(v.size());
  const double* from = v.data();
  double* to = product.mutable_data();
  const ReleasedGil release;
  self.multiply(from, to);
  return product;
}

Weights matrix(Hessian& self) {
  Weights result({self.size(), self.size()});
  double* to = result.mutable_data();
  Poll poll;
  poll.run([&] { self.matrix(to, std::ref(poll)); });
  return result;
}

std::tuple<std::vector<double>, std::vector<double>, std::int64_t, bool> eigenvalues(
    Hessian& self, std::int64_t count, double tolerance, std::int64_t max_iterations,
    std::uint64_t seed) {
  Poll poll;
  const HessianEigenvalues found = poll.run(
      [&] { return self.eigenvalues({count, tolerance, max_iterations, seed}, std::ref(poll)); });
  return {found.values, found.residuals, found.iterations, found.converged};
}

}  // namespace

void init_hessian(py::module_& module) {
  py::class_<Hessian> hessian(
      module, "Hessian",
      "Second derivatives of the mean loss of some rows, which are read in place.");
  bind_init<float>(hessian);
  bind_init<double>(hessian);
  hessian.def_property_readonly("size", &Hessian::size)
      .def("multiply", &multiply, py::arg("v"), "Return H v.")
      .def("matrix", &matrix)
      .def("eigenvalues", &eigenvalues, py::arg("count"), py::arg("tolerance"),
           py::arg("max_iterations"), py::arg("seed"),
           "Return eigenvalues, residuals, the number of products, and whether they converged.");
}

}  // namespace chainrule::bindings

// SPDX-License-Identifier: Apache-2.0
#include "chainrule/best_parameters.hpp"

#include <pybind11/stl.h>

#include <cstddef>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/gil.hpp"
#include "bindings/network.hpp"

namespace chainrule::bindings {

template <class T>
void bind_best_parameters(py::module_& module, const char* name) {
  using Best = BestParameters<T>;
  constexpr py::call_guard<ReleasedGil> without_gil;
  py::class_<Best>(module, name)
      .def(py::init<const Network<T>&>(), py::arg("network"))
      .def("take", &Best::take, py::arg("network"), without_gil)
      .def("put_back", &Best::put_back, py::arg("network"), without_gil)
      .def_property_readonly("held", &Best::held)
      .def_property_readonly("arrays",
                             [](const Best& self) {
                               std::vector<Values<T>> arrays;
                               for (const std::vector<T>& array : self.arrays())
                                 arrays.emplace_back(static_cast<py::ssize_t>(array.size()),
                                                     array.data());
                               return arrays;
                             })
      .def(
          "hold",
          [](Best& self, const std::vector<Values<T>>& arrays) {
            bool fits = arrays.size() == self.arrays().size();
            for (std::size_t i = 0; fits && i < arrays.size(); ++i)
              fits = arrays[i].size() == static_cast<py::ssize_t>(self.arrays()[i].size());
            if (!fits) throw py::value_error("the weights are not those of the network");
            for (std::size_t i = 0; i < arrays.size(); ++i) self.hold(i, arrays[i].data());
          },
          py::arg("arrays"));
}

template void bind_best_parameters<float>(py::module_&, const char*);
template void bind_best_parameters<double>(py::module_&, const char*);

}  // namespace chainrule::bindings

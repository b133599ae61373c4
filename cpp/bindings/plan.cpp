// SPDX-License-Identifier: Apache-2.0
// The plan of a step, for people to read.
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "bindings/network.hpp"
#include "chainrule/network.hpp"

namespace chainrule::bindings {

template <class T>
void bind_plan(py::class_<Network<T>>& network) {
  using N = Network<T>;
  network.def(
      "plan",
      [](const N& self, std::int64_t batch_size, int num_threads,
         const std::optional<RowsOrList>& x, const std::string& sparsity) {
        if (!x) return self.plan(batch_size, num_threads);
        return self.plan(batch_size, num_threads, InputViews(*x, "x"), input_sparsity(sparsity));
      },
      py::arg("batch_size"), py::arg("num_threads") = 0, py::arg("x") = py::none(),
      py::arg("input_sparsity") = "auto");
}

template void bind_plan<float>(py::class_<Network<float>>&);
template void bind_plan<double>(py::class_<Network<double>>&);

void init_plan(py::module_& module) {
  py::class_<StageInfo>(module, "StageInfo")
      .def_readonly("name", &StageInfo::name)
      .def_readonly("threads_own", &StageInfo::threads_own)
      .def_readonly("operations", &StageInfo::operations)
      .def_readonly("bytes", &StageInfo::bytes);
  py::class_<InputPath>(module, "InputPath")
      .def_readonly("sparse", &InputPath::sparse)
      .def_property_readonly("reason",
                             [](const InputPath& self) {
                               switch (self.reason) {
                                 case InputPath::Reason::asked:
                                   return "asked";
                                 case InputPath::Reason::compressed:
                                   return "compressed";
                                 case InputPath::Reason::categories:
                                   return "categories";
                                 default:
                                   return "cheaper";
                               }
                             })
      .def_readonly("density", &InputPath::density)
      .def_readonly("sparse_operations", &InputPath::sparse_operations)
      .def_readonly("dense_operations", &InputPath::dense_operations);
  py::class_<PlanInfo>(module, "PlanInfo")
      .def_readonly("threads", &PlanInfo::threads)
      .def_readonly("stages", &PlanInfo::stages)
      .def_readonly("input", &PlanInfo::input);
}

}  // namespace chainrule::bindings

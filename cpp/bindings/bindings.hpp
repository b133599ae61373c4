// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/pybind11.h>

namespace py = pybind11;

namespace chainrule::bindings {

void init_arrays(py::module_& module);
void init_errors(py::module_& module);
void init_descriptions(py::module_& module);
void init_full_batch(py::module_& module);
void init_functions(py::module_& module);
void init_hessian(py::module_& module);
void init_in_place(py::module_& module);
/// Of all classes in the module: where there is no memory for an object, that is a MemoryError.
void init_instances(const py::module_& module);
void init_laplace(py::module_& module);
void init_model_file(py::module_& module);
void init_network(py::module_& module);
void init_predictor(py::module_& module);
void init_streaming_predictor(py::module_& module);
void init_training_lock(py::module_& module);

}  // namespace chainrule::bindings

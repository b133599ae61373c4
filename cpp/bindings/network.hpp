// SPDX-License-Identifier: Apache-2.0
// The parts of the class Network, a file for each.
#pragma once

#include <pybind11/pybind11.h>

#include "chainrule/network.hpp"

namespace py = pybind11;

namespace chainrule::bindings {

template <class T>
void bind_training(py::class_<Network<T>>& network);
template <class T>
void bind_training_loop(py::class_<Network<T>>& network);
template <class T>
void bind_inference(py::class_<Network<T>>& network);
template <class T>
void bind_in_place(py::class_<Network<T>>& network);
template <class T>
void bind_manual_backprop(py::class_<Network<T>>& network);
template <class T>
void bind_normalization(py::class_<Network<T>>& network);
template <class T>
void bind_plan(py::class_<Network<T>>& network);
template <class T>
void bind_best_parameters(py::module_& module, const char* name);

/// The classes of what these give.
void init_training(py::module_& module);
void init_training_loop(py::module_& module);
void init_evaluation(py::module_& module);
void init_plan(py::module_& module);

}  // namespace chainrule::bindings

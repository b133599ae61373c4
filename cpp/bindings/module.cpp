// SPDX-License-Identifier: Apache-2.0
#include "bindings/bindings.hpp"
#include "chainrule/version.h"

PYBIND11_MODULE(_core_of_main_interpreter, module, py::mod_gil_not_used()) {
  module.doc() = "Compiled core of chainrule.";
  module.attr("__version__") = chainrule::version();
  chainrule::bindings::init_errors(module);
  chainrule::bindings::init_arrays(module);
  chainrule::bindings::init_descriptions(module);
  chainrule::bindings::init_functions(module);
  chainrule::bindings::init_in_place(module);
  chainrule::bindings::init_network(module);
  chainrule::bindings::init_predictor(module);
  chainrule::bindings::init_streaming_predictor(module);
  chainrule::bindings::init_hessian(module);
  chainrule::bindings::init_full_batch(module);
  chainrule::bindings::init_laplace(module);
  chainrule::bindings::init_training_lock(module);
  chainrule::bindings::init_model_file(module);
  chainrule::bindings::init_instances(module);
}

/// What Python calls to import _core. In a subinterpreter pybind11 would wait for a lock for ever
/// before it reaches its own check, and NumPy does not work either.
extern "C" PYBIND11_EXPORT PyObject* PyInit__core() {
  if (PyInterpreterState_Get() == PyInterpreterState_Main())
    return PyInit__core_of_main_interpreter();
  PyErr_SetString(PyExc_ImportError,
                  "chainrule works in Python's main interpreter only, not in a subinterpreter");
  return nullptr;
}

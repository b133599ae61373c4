// SPDX-License-Identifier: Apache-2.0
#include "bindings/bindings.hpp"
#include "chainrule/version.h"

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  module.doc() = "Compiled core of chainrule.";
  module.attr("__version__") = chainrule::version();
  chainrule::bindings::init_errors(module);
  chainrule::bindings::init_arrays(module);
  chainrule::bindings::init_descriptions(module);
  chainrule::bindings::init_functions(module);
  chainrule::bindings::init_network(module);
  chainrule::bindings::init_model_file(module);
}

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/pybind11.h>

#include "chainrule/config.hpp"

namespace chainrule::bindings {

namespace py = pybind11;

/// {"kind": "adam", "learning_rate": 1e-3} or just "adam"; options that are None are left out.
Config to_config(const py::handle& value);
py::dict from_config(const Config& config);

}  // namespace chainrule::bindings

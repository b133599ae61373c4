// SPDX-License-Identifier: Apache-2.0
// Losses and layers that are functions of Python's.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "chainrule/lambda.hpp"
#include "chainrule/loss.hpp"

namespace chainrule::bindings {

/// They call methods of `owner`, which they do not keep alive: it may lead back to the network, and
/// Python's collector does not see through the core.
Loss custom_loss(const std::string& name, const pybind11::object& owner);
Lambda lambda_layer(const std::string& name, const pybind11::object& owner,
                    const std::optional<std::vector<std::int64_t>>& output_shape);

}  // namespace chainrule::bindings

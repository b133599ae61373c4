// SPDX-License-Identifier: Apache-2.0
// Parameters, slots and gradients as NumPy's arrays.
#pragma once

#include <string>
#include <vector>

#include "bindings/arrays.hpp"
#include "chainrule/network.hpp"

namespace chainrule::bindings {

template <class T>
const ParameterInfo& info_of(const Network<T>& network, const std::string& name) {
  for (const ParameterInfo& info : network.parameters()) {
    if (info.name == name) return info;
  }
  // The network words the error for an unknown name.
  network.get_parameter(name, nullptr);
  throw py::key_error(name);
}

/// A fresh array of the parameter's shape, filled by `read`.
template <class T, class Read>
Values<T> parameter_array(const Network<T>& network, const std::string& name, Read read) {
  const ParameterInfo& info = info_of(network, name);
  Values<T> values(info.shape.extents());
  read(values.mutable_data());
  return values;
}

template <class T>
const T* checked(const Network<T>& network, const std::string& name, const Values<T>& values) {
  const ParameterInfo& info = info_of(network, name);
  const Shape given(std::vector<std::int64_t>(values.shape(), values.shape() + values.ndim()));
  if (given != info.shape) {
    throw py::value_error(name + " has shape " + info.shape.text() + ", got " +
                          py::str(values.attr("shape")).template cast<std::string>());
  }
  return values.data();
}

}  // namespace chainrule::bindings

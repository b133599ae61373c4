// SPDX-License-Identifier: Apache-2.0
#include "bindings/config.hpp"

#include <pybind11/stl.h>

#include <string>
#include <vector>

namespace chainrule::bindings {
namespace {

bool is_integer(const py::handle& value) { return PyIndex_Check(value.ptr()) != 0; }
bool is_number(const py::handle& value) { return PyFloat_Check(value.ptr()) || py::hasattr(value, "__float__"); }

ConfigValue to_value(const std::string& name, const py::handle& value) {
  if (py::isinstance<py::bool_>(value)) return value.cast<bool>();
  if (py::isinstance<py::str>(value)) return value.cast<std::string>();
  if (py::isinstance<py::dict>(value)) return to_config(value);
  if (is_integer(value)) return py::int_(py::reinterpret_borrow<py::object>(value)).cast<std::int64_t>();
  if (py::isinstance<py::sequence>(value)) {
    std::vector<double> numbers;
    for (const py::handle item : value) numbers.push_back(py::float_(py::reinterpret_borrow<py::object>(item)));
    return numbers;
  }
  if (is_number(value)) return static_cast<double>(py::float_(py::reinterpret_borrow<py::object>(value)));
  throw py::type_error(name + " must be a number, a name or a description, got " +
                       py::repr(value).cast<std::string>());
}

struct ToPython {
  py::object operator()(const Config& config) const { return from_config(config); }
  template <class V>
  py::object operator()(const V& value) const {
    return py::cast(value);
  }
};

}  // namespace

Config to_config(const py::handle& value) {
  if (py::isinstance<py::str>(value)) return Config{value.cast<std::string>(), {}};
  if (!py::isinstance<py::dict>(value)) {
    throw py::type_error("expected a name or a dict with a 'kind', got " + py::repr(value).cast<std::string>());
  }
  const auto dict = py::reinterpret_borrow<py::dict>(value);
  if (!dict.contains("kind") || !py::isinstance<py::str>(dict["kind"])) {
    throw py::value_error("a description needs a 'kind', got " + py::repr(value).cast<std::string>());
  }
  Config config{dict["kind"].cast<std::string>(), {}};
  for (const auto& [key, option] : dict) {
    const auto name = key.cast<std::string>();
    if (name != "kind" && !option.is_none()) config.options.push_back({name, to_value(name, option)});
  }
  return config;
}

py::dict from_config(const Config& config) {
  py::dict dict;
  dict["kind"] = config.kind;
  for (const ConfigEntry& entry : config.options) {
    dict[py::str(entry.name)] = std::visit(ToPython{}, entry.value);
  }
  return dict;
}

}  // namespace chainrule::bindings

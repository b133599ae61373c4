// SPDX-License-Identifier: Apache-2.0
#include "bindings/config.hpp"

#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <vector>

namespace chainrule::bindings {
namespace {

bool is_numpy_bool(const py::handle& value) {
  return py::str(py::type::handle_of(value).attr("__name__"))
      .cast<std::string>()
      .starts_with("bool");
}

/// Clears the error of an object that does not stand for a number.
void clear_refusal() {
  if (PyErr_ExceptionMatches(PyExc_MemoryError)) throw py::error_already_set();
  PyErr_Clear();
}

/// The integer that an object stands for exactly (int, NumPy integers), none for floats and arrays
/// of them.
std::optional<std::int64_t> as_integer(const std::string& name, const py::handle& value) {
  const auto index = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
  if (!index) {
    clear_refusal();
    return std::nullopt;
  }
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
  if (overflow != 0) {
    throw py::value_error(name + " is too large: " + py::repr(value).cast<std::string>());
  }
  return number;
}

std::optional<double> as_number(const py::handle& value) {
  const double number = PyFloat_AsDouble(value.ptr());
  if (number == -1.0 && PyErr_Occurred()) {
    clear_refusal();
    return std::nullopt;
  }
  return number;
}

ConfigValue to_nested(const py::handle& value);

ConfigValue to_value(const std::string& name, const py::handle& value) {
  if (py::isinstance<py::bool_>(value) || is_numpy_bool(value))
    return PyObject_IsTrue(value.ptr()) == 1;
  if (py::isinstance<py::str>(value)) return value.cast<std::string>();
  if (py::isinstance<py::dict>(value)) return to_nested(value);
  if (py::isinstance<py::list>(value) || py::isinstance<py::tuple>(value)) {
    std::vector<double> numbers;
    for (const py::handle item : value) {
      const std::optional<double> number = as_number(item);
      if (!number)
        throw py::type_error(name + " must hold numbers, got " +
                             py::repr(item).cast<std::string>());
      numbers.push_back(*number);
    }
    return numbers;
  }
  if (const auto integer = as_integer(name, value)) return *integer;
  if (const auto number = as_number(value)) return *number;
  throw py::type_error(name + " must be a number, a name or a description, got " +
                       py::repr(value).cast<std::string>());
}

std::vector<ConfigEntry> to_entries(const py::dict& dict) {
  std::vector<ConfigEntry> entries;
  for (const auto& [key, option] : dict) {
    if (!py::isinstance<py::str>(key)) {
      throw py::type_error("option names must be text, got " + py::repr(key).cast<std::string>());
    }
    const auto name = key.cast<std::string>();
    if (name != "kind" && !option.is_none()) entries.push_back({name, to_value(name, option)});
  }
  return entries;
}

/// A description, or a table, which has no kind.
ConfigValue to_nested(const py::handle& value) {
  const auto dict = py::reinterpret_borrow<py::dict>(value);
  return dict.contains("kind") ? to_config(value) : Config{"", to_entries(dict)};
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
    throw py::type_error("expected a name or a dict with a 'kind', got " +
                         py::repr(value).cast<std::string>());
  }
  const auto dict = py::reinterpret_borrow<py::dict>(value);
  if (!dict.contains("kind") || !py::isinstance<py::str>(dict["kind"])) {
    throw py::value_error("a description needs a 'kind', got " +
                          py::repr(value).cast<std::string>());
  }
  return {dict["kind"].cast<std::string>(), to_entries(dict)};
}

py::dict from_config(const Config& config) {
  py::dict dict;
  if (!config.kind.empty()) dict["kind"] = config.kind;
  for (const ConfigEntry& entry : config.options) {
    dict[py::str(entry.name)] = std::visit(ToPython{}, entry.value);
  }
  return dict;
}

GraphConfig to_graph_config(const std::vector<py::dict>& nodes,
                            const std::vector<std::string>& outputs) {
  GraphConfig config;
  for (const py::dict& given : nodes) {
    NodeConfig node{.name = given["name"].cast<std::string>()};
    if (given.contains("shape"))
      node.shape = Shape(given["shape"].cast<std::vector<std::int64_t>>());
    if (given.contains("layer")) node.layer = to_config(given["layer"]);
    if (given.contains("inputs")) node.inputs = given["inputs"].cast<std::vector<std::string>>();
    if (given.contains("trainable")) node.trainable = given["trainable"].cast<bool>();
    if (given.contains("shares")) node.shares = given["shares"].cast<std::string>();
    if (given.contains("member")) node.member = given["member"].cast<std::int64_t>();
    config.nodes.push_back(std::move(node));
  }
  config.outputs = outputs;
  return config;
}

std::vector<py::dict> from_graph_config(const GraphConfig& config) {
  std::vector<py::dict> nodes;
  for (const NodeConfig& node : config.nodes) {
    py::dict described;
    described["name"] = node.name;
    if (node.layer) {
      described["layer"] = from_config(*node.layer);
    } else if (!node.shares.empty()) {
      described["shares"] = node.shares;
    } else {
      described["shape"] = py::tuple(py::cast(node.shape.extents()));
    }
    if (!node.inputs.empty()) described["inputs"] = node.inputs;
    if (!node.trainable) described["trainable"] = false;
    if (node.member != 0) described["member"] = node.member;
    nodes.push_back(std::move(described));
  }
  return nodes;
}

}  // namespace chainrule::bindings

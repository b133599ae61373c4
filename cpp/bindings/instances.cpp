// SPDX-License-Identifier: Apache-2.0
#include <new>

#include "bindings/bindings.hpp"

namespace chainrule::bindings {
namespace {

/// For pybind11 when it makes an object of what C++ returns. It does not look for a null pointer.
PyObject* allocate(PyTypeObject* type, Py_ssize_t items) {
  if (PyObject* const object = PyType_GenericAlloc(type, items)) return object;
  throw std::bad_alloc();
}

/// For Python when it calls the class, which knows no exceptions of C++.
PyObject* make(PyTypeObject* type, PyObject*, PyObject*) {
  try {
    return py::detail::make_new_instance(type);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

/// cls.__new__(cls), by which copy and pickle begin; pybind11's own refuses classes that do not
/// make their objects as it does.
PyObject* make_by_name(PyObject* self, PyObject* args, PyObject*) {
  PyObject* const given = PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : Py_None;
  auto* const base = reinterpret_cast<PyTypeObject*>(self);
  if (!PyType_Check(given) || !PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(given), base))
    return PyErr_Format(PyExc_TypeError, "%s.__new__ needs the class, got %R", base->tp_name,
                        given);
  return make(reinterpret_cast<PyTypeObject*>(given), nullptr, nullptr);
}

PyMethodDef method_new = {"__new__",
                          reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(make_by_name)),
                          METH_VARARGS | METH_KEYWORDS, nullptr};

}  // namespace

void init_instances(const py::module_& module) {
  for (const auto& [name, value] : py::cast<py::dict>(module.attr("__dict__"))) {
    if (!PyType_Check(value.ptr())) continue;
    auto* const type = reinterpret_cast<PyTypeObject*>(value.ptr());
    type->tp_alloc = allocate;
    type->tp_new = make;
    const auto by_name =
        py::reinterpret_steal<py::object>(PyCFunction_New(&method_new, value.ptr()));
    // Not by setattr, which would make Python look the method up for every object.
    if (!by_name || PyDict_SetItemString(type->tp_dict, "__new__", by_name.ptr()) != 0)
      throw py::error_already_set();
    PyType_Modified(type);
  }
}

}  // namespace chainrule::bindings

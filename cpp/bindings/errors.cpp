// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <stdexcept>

#include "bindings/bindings.hpp"
#include "chainrule/error.hpp"

namespace chainrule::bindings {

void init_errors(py::module_& module) {
  (void)module;
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      std::rethrow_exception(pointer);
    } catch (const DivergenceError& e) {
      const py::object type = py::module_::import("chainrule.errors").attr("DivergenceError");
      const py::object error =
          type(e.what(), py::arg("epoch") = e.epoch, py::arg("batch") = e.batch,
               py::arg("layer") = e.layer, py::arg("loss") = e.loss);
      PyErr_SetObject(type.ptr(), error.ptr());
    } catch (const ModelFileError& e) {
      const py::object type = py::module_::import("chainrule.errors").attr("ModelFileError");
      PyErr_SetString(type.ptr(), e.what());
    } catch (const FileError& e) {
      // Python makes a FileNotFoundError and the like of it.
      errno = e.code;
      const auto path =
          py::reinterpret_steal<py::object>(PyUnicode_DecodeFSDefault(e.path.c_str()));
      PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path.ptr());
    } catch (const StateError& e) {
      PyErr_SetString(PyExc_RuntimeError, e.what());
    } catch (const Error& e) {
      PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const std::runtime_error&) {
      // Where an object cannot be made, pybind11 throws a text beside Python's own error.
      if (!PyErr_Occurred() || !PyErr_ExceptionMatches(PyExc_MemoryError)) throw;
    }
  });
}

}  // namespace chainrule::bindings

// SPDX-License-Identifier: Apache-2.0
#include <pybind11/stl.h>

#include <atomic>
#include <cstddef>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "chainrule/error.hpp"

#if !defined(_WIN32)
#include <unistd.h>
#endif

namespace chainrule::bindings {
namespace {

/// Lets one call of a kind run at a time. It is held from C++ for exactly the time of a function's
/// call, because a lock that Python code takes and gives back stays locked for ever when a
/// KeyboardInterrupt comes between two instructions of that code.
class TrainingLock {
 public:
  py::object run(const py::object& function) { return run_all({this}, function); }

  static py::object run_all(const std::vector<TrainingLock*>& locks, const py::object& function) {
    std::size_t held = 0;
    while (held < locks.size() && locks[held]->take()) ++held;
    PyObject* result = nullptr;
    if (held == locks.size())
      result = call_python([&] { return PyObject_CallNoArgs(function.ptr()); });
    for (std::size_t i = 0; i < held; ++i) locks[i]->holder_.store(kUnheld);
    if (held < locks.size())
      throw StateError(
          "the network is being trained already; copy.deepcopy gives one to train beside it");
    if (!result) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(result);
  }

 private:
  bool take() {
    const long self = process();
    long holder = holder_.load(std::memory_order_relaxed);
    // A child that was forked while another thread of its parent held the lock finds it free.
    return holder != self && holder_.compare_exchange_strong(holder, self);
  }

  static constexpr long kUnheld = 0;

  static long process() {
#if defined(_WIN32)
    return 1;
#else
    return static_cast<long>(::getpid());
#endif
  }

  std::atomic<long> holder_{kUnheld};
};

}  // namespace

void init_training_lock(py::module_& module) {
  py::class_<TrainingLock>(module, "TrainingLock", "Lets one training at a time run.")
      .def(py::init<>())
      .def("run", &TrainingLock::run, py::arg("function"),
           "Return function(); RuntimeError while another call of this lock runs.")
      .def_static("run_all", &TrainingLock::run_all, py::arg("locks"), py::arg("function"),
                  "Return function(), as run() of all of these locks at once.");
}

}  // namespace chainrule::bindings

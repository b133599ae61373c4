// SPDX-License-Identifier: Apache-2.0
// Python's global lock, given back while the core works.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

namespace chainrule::bindings {

/// Calls a function of Python's C interface that may wait for the lock. When the interpreter ends,
/// Python up to 3.13 ends a daemon thread that waits for the lock by unwinding its stack, which
/// C++ cannot survive: destructors would need the lock, and noexcept functions and handlers that
/// catch everything abort the process. So the thread stops here, as it does by itself from
/// Python 3.14 on, until the process is over.
template <class Call>
auto call_python(Call call) -> decltype(call()) {
  try {
    return call();
  } catch (...) {
    // The function is C: nothing but the unwinding can come out of it.
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
}

/// With the lock: calls a function of Python's within which other threads may run, and end the
/// interpreter.
template <class... Arguments>
pybind11::object call_function(pybind11::handle function, Arguments&&... arguments) {
  const pybind11::tuple given = pybind11::make_tuple(std::forward<Arguments>(arguments)...);
  PyObject* const result =
      call_python([&] { return PyObject_Call(function.ptr(), given.ptr(), nullptr); });
  if (!result) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::object>(result);
}

template <class... Arguments>
pybind11::object call_method(const pybind11::object& object, const char* name,
                             Arguments&&... arguments) {
  const pybind11::object method = object.attr(name);
  return call_function(method, std::forward<Arguments>(arguments)...);
}

/// With the lock: what an iterator gives next, or no object behind its end.
inline pybind11::object next_item(pybind11::handle iterator) {
  PyObject* const item = call_python([&] { return PyIter_Next(iterator.ptr()); });
  if (!item && PyErr_Occurred()) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::object>(item);
}

/// Lets other threads of Python run for the length of a scope.
class ReleasedGil {
 public:
  ReleasedGil() : state_(PyEval_SaveThread()) {}
  ~ReleasedGil() { take_back(); }
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;

  void take_back() {
    call_python([this] { PyEval_RestoreThread(state_); });
  }
  void give_again() { state_ = PyEval_SaveThread(); }

 private:
  PyThreadState* state_;
};

/// Holds the lock for the length of a scope within that of a ReleasedGil.
class TakenBackGil {
 public:
  explicit TakenBackGil(ReleasedGil& released) : released_(released) { released_.take_back(); }
  ~TakenBackGil() { released_.give_again(); }
  TakenBackGil(const TakenBackGil&) = delete;
  TakenBackGil& operator=(const TakenBackGil&) = delete;

 private:
  ReleasedGil& released_;
};

/// Holds the lock for the length of a scope, on a thread that has or has not got it.
class AcquiredGil {
 public:
  AcquiredGil() {
    call_python([this] { state_ = PyGILState_Ensure(); });
  }
  ~AcquiredGil() { PyGILState_Release(state_); }
  AcquiredGil(const AcquiredGil&) = delete;
  AcquiredGil& operator=(const AcquiredGil&) = delete;

 private:
  PyGILState_STATE state_;
};

/// Runs the core without the lock, and, where the core asks now and then, pending signal handlers
/// and the caller's function, and carries what these raise out of the core.
class Poll {
 public:
  /// `function` is called with the core's arguments; none with None.
  explicit Poll(pybind11::object function = pybind11::none()) : function_(std::move(function)) {}

  /// Calls `core()` without the lock; what it returns, or what the poll has raised.
  template <class Core>
  auto run(Core core) -> decltype(core()) {
    ReleasedGil released;
    released_ = &released;
    return core();
  }

  /// From within run(), on the same thread, or without a run() on any thread that has not got the
  /// lock: calls `function()` with it; the core passes on what that throws.
  template <class Function>
  auto with_lock(Function function) -> decltype(function()) {
    if (released_) {
      const TakenBackGil taken(*released_);
      return function();
    }
    const AcquiredGil acquired;
    try {
      return function();
    } catch (const pybind11::error_already_set& error) {
      if (!error.matches(PyExc_Exception)) interrupted_.store(true);
      throw;
    }
  }

  /// Whether such a function, called without a run(), has raised an interrupt or another exception
  /// that is no Exception.
  bool interrupted() const { return interrupted_.load(); }

  /// From within run(), on the same thread: throws what has been raised, which the core carries
  /// out. Never asks the core to stop otherwise.
  bool operator()(long long batches, double loss) {
    call([&]() -> PyObject* {
      return function_.is_none() ? Py_NewRef(Py_None)
                                 : PyObject_CallFunction(function_.ptr(), "Ld", batches, loss);
    });
    return false;
  }

  /// The same for a core that has nothing to tell.
  void operator()() {
    call([] { return Py_NewRef(Py_None); });
  }

 private:
  template <class Function>
  void call(Function function) {
    released_->take_back();
    PyObject* const result = call_python(
        [&]() -> PyObject* { return PyErr_CheckSignals() != 0 ? nullptr : function(); });
    if (result) {
      Py_DECREF(result);
    } else {
      raised_ = std::make_exception_ptr(pybind11::error_already_set());
    }
    released_->give_again();
    if (raised_) std::rethrow_exception(raised_);
  }

  pybind11::object function_;
  ReleasedGil* released_ = nullptr;
  std::atomic<bool> interrupted_{false};
  std::exception_ptr raised_;  // kept here too, so that it dies with the lock held
};

}  // namespace chainrule::bindings

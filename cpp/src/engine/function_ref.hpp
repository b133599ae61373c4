// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>

namespace chainrule::engine {

template <class Signature>
class FunctionRef;

/// A reference to a callable that its caller keeps alive; unlike std::function it never allocates.
template <class... Arguments>
class FunctionRef<void(Arguments...)> {
 public:
  // The constraint leaves copying to the copy constructor, which the check does not see.
  template <std::invocable<Arguments...> F>
    requires(!std::same_as<std::remove_cvref_t<F>, FunctionRef>)
  FunctionRef(F&& f)  // NOLINT(bugprone-forwarding-reference-overload)
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, Arguments... arguments) {
          (*static_cast<std::remove_reference_t<F>*>(object))(arguments...);
        }) {}

  void operator()(Arguments... arguments) const { call_(object_, arguments...); }

 private:
  void* object_;
  void (*call_)(void*, Arguments...);
};

}  // namespace chainrule::engine

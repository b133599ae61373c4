// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include "chainrule/cxx20.hpp"

namespace chainrule {

template <class Signature>
class Callback;

/// A function to call, or none: what std::function is, without <functional>, which takes longer to
/// compile than all other headers of this library. Made from anything that can be copied and
/// called with these arguments, such as a lambda. Of a null function pointer and of a function
/// object that says it holds none, such as an empty std::function, it is empty.
template <class Result, class... Arguments>
class Callback<Result(Arguments...)> {
 public:
  Callback() = default;
  template <class Function>
    requires(!std::same_as<Function, Callback>) && requires(Function& f, Arguments... a) {
      { f(a...) } -> std::convertible_to<Result>;
    }
  Callback(Function function)
      : target_(is_none(function) ? nullptr : new TargetOf<Function>(std::move(function))) {}
  Callback(const Callback& other) : target_(other.target_ ? other.target_->copy() : nullptr) {}
  Callback(Callback&& other) noexcept : target_(std::exchange(other.target_, nullptr)) {}
  Callback& operator=(Callback other) noexcept {
    std::swap(target_, other.target_);
    return *this;
  }
  ~Callback() { delete target_; }

  explicit operator bool() const noexcept { return target_ != nullptr; }
  Result operator()(Arguments... arguments) const { return target_->call(arguments...); }

 private:
  struct Target {
    virtual ~Target() = default;
    virtual Target* copy() const = 0;
    virtual Result call(Arguments... arguments) = 0;
  };

  template <class Function>
  struct TargetOf final : Target {
    explicit TargetOf(Function f) : function(std::move(f)) {}
    Target* copy() const override { return new TargetOf(*this); }
    Result call(Arguments... arguments) override { return function(arguments...); }

    Function function;
  };

  template <class Function>
  static bool is_none(const Function& function) {
    if constexpr (std::is_pointer_v<Function>) {
      return function == nullptr;
    } else if constexpr (requires(bool b) { b = function.operator bool(); }) {
      return !function.operator bool();
    } else {
      return false;
    }
  }

  Target* target_ = nullptr;
};

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "chainrule/cxx20.hpp"

namespace chainrule {

/// The hidden part of a class, which it owns alone: std::unique_ptr without <memory>, which takes
/// longer to compile than all other headers of this library.
template <class State>
class Owned {
 public:
  Owned() = default;
  explicit Owned(State* state) noexcept : state_(state) {}
  Owned(Owned&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    if (this != &other) delete std::exchange(state_, std::exchange(other.state_, nullptr));
    return *this;
  }
  ~Owned() { delete state_; }

  State& operator*() const noexcept { return *state_; }
  State* operator->() const noexcept { return state_; }
  explicit operator bool() const noexcept { return state_ != nullptr; }

 private:
  State* state_ = nullptr;
};

}  // namespace chainrule

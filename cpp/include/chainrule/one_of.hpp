// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <type_traits>

#include "chainrule/cxx20.hpp"

namespace chainrule {

/// One of several small structs of options: what std::variant would be, whose header takes programs
/// long to compile. It has room for all of them side by side; those that it is not have their
/// defaults.
template <class... Alternatives>
class OneOf : private Alternatives... {
 public:
  /// The first alternative.
  OneOf() = default;

  template <class T>
    requires(std::is_same_v<T, Alternatives> || ...)
  OneOf(T alternative)  // NOLINT(google-explicit-constructor): as std::variant's
      : index_(index_of<T>()) {
    static_cast<T&>(*this) = alternative;
  }

  std::size_t index() const { return index_; }

  /// Null if it is another.
  template <class T>
  const T* get_if() const {
    return index_ == index_of<T>() ? static_cast<const T*>(this) : nullptr;
  }
  template <class T>
  T* get_if() {
    return index_ == index_of<T>() ? static_cast<T*>(this) : nullptr;
  }

  /// Calls use(alternative) with the one that it is.
  template <class Use>
  void visit(const Use& use) const {
    ((index_ == index_of<Alternatives>() ? use(static_cast<const Alternatives&>(*this)) : void()),
     ...);
  }
  template <class Use>
  void visit(const Use& use) {
    ((index_ == index_of<Alternatives>() ? use(static_cast<Alternatives&>(*this)) : void()), ...);
  }

  bool operator==(const OneOf& other) const {
    bool same = index_ == other.index_;
    visit([&]<class T>(const T& mine) { same = same && mine == static_cast<const T&>(other); });
    return same;
  }

 private:
  template <class T>
  static constexpr std::size_t index_of() {
    std::size_t index = 0;
    bool found = false;
    ((found = found || std::is_same_v<T, Alternatives>, index += found ? 0 : 1), ...);
    return index;
  }

  std::size_t index_ = 0;
};

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
// What the columns of x and the classes are called: kept for callers that bring data by name, and
// for files. No number depends on it.
#include <algorithm>
#include <string_view>

#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"
#include "model/utf8.hpp"

namespace chainrule {
namespace {

/// Throws Error unless there are no names or `count` different ones.
void check_names(const std::string& what, const std::vector<std::string>& names,
                 std::int64_t count) {
  if (names.empty()) return;
  if (static_cast<std::int64_t>(names.size()) != count)
    throw Error(what + " must have " + std::to_string(count) + " names, got " +
                std::to_string(names.size()));
  for (std::size_t i = 0; i < names.size(); ++i)
    model::check_text(what + "[" + std::to_string(i) + "]", names[i]);
  std::vector<std::string_view> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    throw Error(what + " must differ from each other, got '" + std::string(*twice) + "' twice");
}

}  // namespace

template <class T>
const std::vector<std::string>& Network<T>::feature_names() const {
  return state_->feature_names;
}

template <class T>
void Network<T>::set_feature_names(std::vector<std::string> names) {
  const engine::Changing guard(*state_);
  check_names("feature_names", names, state_->inputs);
  state_->feature_names = std::move(names);
}

template <class T>
std::int64_t Network<T>::classes() const {
  return state_->outputs == 1 ? 2 : state_->outputs;
}

template <class T>
const std::vector<std::string>& Network<T>::class_names() const {
  return state_->class_names;
}

template <class T>
void Network<T>::set_class_names(std::vector<std::string> names) {
  const engine::Changing guard(*state_);
  check_names("class_names", names, classes());
  state_->class_names = std::move(names);
}

#define CHAINRULE_MEMBERS(T)                                                  \
  template const std::vector<std::string>& Network<T>::feature_names() const; \
  template void Network<T>::set_feature_names(std::vector<std::string>);      \
  template std::int64_t Network<T>::classes() const;                          \
  template const std::vector<std::string>& Network<T>::class_names() const;   \
  template void Network<T>::set_class_names(std::vector<std::string>);
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

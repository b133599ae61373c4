// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "chainrule/network.hpp"

namespace chainrule::engine {

/// The parameters of the best epoch, in memory that is taken before the first.
template <class T>
class BestParameters {
 public:
  void make_room(const Network<T>& network) {
    arrays_.clear();
    held_ = false;
    for (const ParameterInfo& info : network.parameters())
      arrays_.emplace_back(static_cast<std::size_t>(info.shape.size()));
  }
  void take(const Network<T>& network) {
    for (std::size_t i = 0; i < arrays_.size(); ++i)
      network.get_parameter(network.parameters()[i].name, arrays_[i].data());
    held_ = true;
  }
  void put_back(Network<T>& network) {
    if (!held_) return;
    for (std::size_t i = 0; i < arrays_.size(); ++i)
      network.set_parameter(network.parameters()[i].name, arrays_[i].data());
    held_ = false;
  }

 private:
  std::vector<std::vector<T>> arrays_;
  bool held_ = false;
};

}  // namespace chainrule::engine

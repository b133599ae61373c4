// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "chainrule/network.hpp"

namespace chainrule {

/// The parameters of a training's best epoch, in memory that is taken before the first.
template <class T>
class BestParameters {
 public:
  /// Without room; only make_room may be called.
  BestParameters() = default;
  explicit BestParameters(const Network<T>& network) { make_room(network); }

  /// For those of this network; what was held is forgotten.
  void make_room(const Network<T>& network) {
    arrays_.clear();
    held_ = false;
    for (const ParameterInfo& info : network.parameters())
      arrays_.emplace_back(static_cast<std::size_t>(info.shape.size()));
  }
  /// Holds the present ones; allocates nothing.
  void take(const Network<T>& network) {
    for (std::size_t i = 0; i < arrays_.size(); ++i)
      network.get_parameter(network.parameters()[i].name, arrays_[i].data());
    held_ = true;
  }
  /// Gives the network those that are held, if there are any, which are forgotten then.
  void put_back(Network<T>& network) {
    if (!held_) return;
    for (std::size_t i = 0; i < arrays_.size(); ++i)
      network.set_parameter(network.parameters()[i].name, arrays_[i].data());
    held_ = false;
  }

  /// Whether any are held, and these, row-major in the order of Network::parameters.
  bool held() const { return held_; }
  const std::vector<std::vector<T>>& arrays() const { return arrays_; }
  /// Holds values from a file, of the same sizes.
  void hold(std::size_t parameter, const T* values) {
    arrays_[parameter].assign(values, values + arrays_[parameter].size());
    held_ = true;
  }

 private:
  std::vector<std::vector<T>> arrays_;
  bool held_ = false;
};

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "c_api/handle.hpp"
#include "chainrule/chainrule.h"
#include "chainrule/error.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/network.hpp"

namespace chainrule::c_api {

using AnyNetwork = std::variant<std::shared_ptr<Network<float>>, std::shared_ptr<Network<double>>>;

struct NetworkObject final : Object {
  using Opaque = chainrule_network;
  static constexpr Kind kind = Kind::network;

  NetworkObject(AnyNetwork network_, TrainingState training_);

  const AnyNetwork network;
  /// What the file that the network came from says of its training; its trainers share it.
  const std::shared_ptr<const TrainingState> training;
  const std::string layers;  // as JSON
};

/// Calls visit(Network<T>&) for the network's T.
template <class Visit>
decltype(auto) with_network(const NetworkObject& object, const Visit& visit) {
  return std::visit([&](const auto& network) -> decltype(auto) { return visit(*network); },
                    object.network);
}

/// Throws Error unless an array of `count` numbers of type T takes `size` bytes.
template <class T>
void check_bytes(std::size_t size, std::int64_t count, const std::string& what) {
  constexpr const char* type = sizeof(T) == 4 ? "float32" : "float64";
  if (size == static_cast<std::size_t>(count) * sizeof(T)) return;
  throw Error(what + " takes " + std::to_string(static_cast<std::size_t>(count) * sizeof(T)) +
              " bytes, " + std::to_string(count) + " numbers of type " + type + ", got " +
              std::to_string(size));
}

}  // namespace chainrule::c_api

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

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

/// Rows of all inputs side by side, as those of each.
std::vector<RowsView> split(const Graph& graph, const RowsView& x);

/// Throws Error unless an array of rows of numbers of type T takes `size` bytes.
template <class T>
void check_bytes(std::size_t size, std::int64_t rows, std::int64_t columns, std::string_view what) {
  constexpr const char* type = sizeof(T) == 4 ? "float32" : "float64";
  std::int64_t count = 0;
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(rows, columns, &count) ||
      __builtin_mul_overflow(count, sizeof(T), &bytes))
    throw Error(std::string(what) + " has " + std::to_string(rows) + " rows of " +
                std::to_string(columns) + " numbers, more than memory can hold");
  if (size == bytes) return;
  throw Error(std::string(what) + " takes " + std::to_string(bytes) + " bytes, " +
              std::to_string(count) + " numbers of type " + type + ", got " + std::to_string(size));
}

/// The caller's memory for rows of outputs of type T, which may be null.
template <class T>
T* outputs_memory(void* given, std::size_t size, std::int64_t rows, std::int64_t columns,
                  const char* name) {
  if (given != nullptr || size != 0) check_bytes<T>(size, rows, columns, name);
  if (given == nullptr && size != 0) throw Error(std::string(name) + " is NULL");
  return static_cast<T*>(given);
}

}  // namespace chainrule::c_api

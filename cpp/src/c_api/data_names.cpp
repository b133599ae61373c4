// SPDX-License-Identifier: Apache-2.0
// What features, their categories and classes are called.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "c_api/network.hpp"
#include "c_api/options.hpp"
#include "c_api/status.hpp"

namespace chainrule::c_api {
namespace {

/// Name number `index` of `count`; null where there are none.
const char* name_at(const std::vector<std::string>& names, std::int64_t index, std::int64_t count,
                    const char* what) {
  if (index < 0 || index >= count)
    throw Error("index is " + std::to_string(index) + "; the network has " + std::to_string(count) +
                " " + what);
  return names.empty() ? nullptr : names[static_cast<std::size_t>(index)].c_str();
}

std::vector<std::string> names_of(const char* const* names, std::int64_t count) {
  if (count < 0) throw Error("count is " + std::to_string(count) + ", expected 0 or more");
  std::vector<std::string> copied;
  if (count > 0) require_non_null(names, "names");
  for (std::int64_t i = 0; i < count; ++i)
    copied.emplace_back(text(names[i], ("names[" + std::to_string(i) + "]").c_str()));
  return copied;
}

/// Those of the categories of a column.
template <class N>
const std::vector<std::string>& category_names(const N& network, std::int64_t column) {
  static const std::vector<std::string> none;
  if (column < 0 || column >= network.inputs())
    throw Error("column is " + std::to_string(column) + "; the network has " +
                std::to_string(network.inputs()) + " columns");
  const auto& all = network.category_names();
  return all.empty() ? none : all[static_cast<std::size_t>(column)];
}

}  // namespace
}  // namespace chainrule::c_api

using namespace chainrule;
using namespace chainrule::c_api;

chainrule_status chainrule_network_get_feature_name(const chainrule_network* network, int64_t input,
                                                    int64_t index, const char** name) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    require_non_null(name, "the result's pointer");
    with_network(object, [&](const auto& n) {
      const std::vector<std::string>& names = n.feature_names(input);
      const std::int64_t node = n.graph().inputs()[static_cast<std::size_t>(input)];
      *name = name_at(names, index, n.graph().node(node).shape.size(), "features");
    });
  });
}

chainrule_status chainrule_network_get_class_name(const chainrule_network* network, int64_t output,
                                                  int64_t index, const char** name) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    require_non_null(name, "the result's pointer");
    with_network(object, [&](const auto& n) {
      *name = name_at(n.class_names(output), index, n.classes(output), "classes");
    });
  });
}

chainrule_status chainrule_network_set_feature_names(chainrule_network* network, int64_t input,
                                                     const char* const* names, int64_t count) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    std::vector<std::string> copied = names_of(names, count);
    with_network(object, [&](auto& n) { n.set_feature_names(std::move(copied), input); });
  });
}

chainrule_status chainrule_network_set_class_names(chainrule_network* network, int64_t output,
                                                   const char* const* names, int64_t count) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    std::vector<std::string> copied = names_of(names, count);
    with_network(object, [&](auto& n) { n.set_class_names(std::move(copied), output); });
  });
}

chainrule_status chainrule_network_get_category_count(const chainrule_network* network,
                                                      int64_t column, int64_t* count) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    require_non_null(count, "the result's pointer");
    with_network(object, [&](const auto& n) {
      *count = static_cast<int64_t>(category_names(n, column).size());
    });
  });
}

chainrule_status chainrule_network_get_category_name(const chainrule_network* network,
                                                     int64_t column, int64_t code,
                                                     const char** name) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    require_non_null(name, "the result's pointer");
    with_network(object, [&](const auto& n) {
      const std::vector<std::string>& names = category_names(n, column);
      *name = name_at(names, code, static_cast<std::int64_t>(names.size()), "such names");
    });
  });
}

chainrule_status chainrule_network_get_category_code(const chainrule_network* network,
                                                     int64_t column, const char* name,
                                                     int64_t* code) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    require_non_null(code, "the result's pointer");
    with_network(object,
                 [&](const auto& n) { *code = n.category_code(column, text(name, "name")); });
  });
}

chainrule_status chainrule_network_set_category_names(chainrule_network* network, int64_t column,
                                                      const char* const* names, int64_t count) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    std::vector<std::string> copied = names_of(names, count);
    with_network(object, [&](auto& n) {
      category_names(n, column);  // checks the column
      auto all = n.category_names();
      all.resize(static_cast<std::size_t>(n.inputs()));
      all[static_cast<std::size_t>(column)] = std::move(copied);
      n.set_category_names(std::move(all));
    });
  });
}

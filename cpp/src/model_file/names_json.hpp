// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "chainrule/graph.hpp"
#include "model_file/json.hpp"
#include "model_file/json_writer.hpp"

namespace chainrule::model_file {

/// What the columns of each input, the classes of each output, or the categories of each column are
/// called; empty: no names.
using PartNames = std::vector<std::vector<std::string>>;

/// Where names are: a list where there is one input, or output, else an object of lists.
struct NamesKeys {
  const char* list;
  const char* object;
  const char* part;
  const std::vector<std::int64_t>& (Graph::*nodes)() const;
};
inline constexpr NamesKeys feature_keys = {"feature_names", "input_feature_names", "input",
                                           &Graph::inputs};
inline constexpr NamesKeys class_keys = {"class_names", "output_class_names", "output",
                                         &Graph::outputs};

/// Whether there are any.
bool has_names(const PartNames& names);

/// Throws Error for what are no names of these inputs or outputs. How many they must be is known
/// to the network.
PartNames read_names(const Json& json, const NamesKeys& keys, const Graph& graph);
/// Files without names are as they were before there were any.
void write_names(JsonWriter& json, const NamesKeys& keys, const Graph& graph,
                 const PartNames& names);

/// The same of the categories of each column of x, a list of lists.
inline constexpr const char* category_key = "category_names";
PartNames read_category_names(const Json& json);
void write_category_names(JsonWriter& json, const PartNames& names);

}  // namespace chainrule::model_file

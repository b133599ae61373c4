// SPDX-License-Identifier: Apache-2.0
#include "engine/input/missing_columns.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "chainrule/layers.hpp"
#include "chainrule/shape_layers.hpp"

namespace chainrule::engine {
namespace {

using Columns = std::vector<bool>;

/// Which columns of what a Normalization reads may hold NaN, if `after` says so of those that it
/// gives. Both are of all positions, one behind the other.
Columns before(const Normalization& layer, const Shape& shape, const Columns& after) {
  const std::int64_t columns = shape.columns();
  const Columns chosen = layer.normalized(columns);
  const auto given = static_cast<std::size_t>(layer.output_shape({shape}).columns());
  const bool fills = layer.missing != Normalization::Missing::error;
  Columns result;
  for (std::int64_t p = 0; p < shape.positions(); ++p)
    for (std::size_t j = 0; j < chosen.size(); ++j)
      result.push_back((chosen[j] && fills) || after[static_cast<std::size_t>(p) * given + j]);
  return result;
}

/// The same of an Embedding, whose columns of numbers pass as they are.
Columns before(const Embedding& layer, const Shape& shape, const Columns& after) {
  const std::vector<std::int64_t> counts = layer.categories(shape.size());
  const std::vector<std::int64_t> held = layer.category_columns(shape.size());
  const bool knows = layer.missing != Unseen::error;
  std::size_t next = held.size() * static_cast<std::size_t>(layer.units);
  Columns result;
  for (const std::int64_t count : counts) result.push_back(count > 0 ? knows : after[next++]);
  return result;
}

/// The same of a CategoryEncoding, where they pass in their places.
Columns before(const CategoryEncoding& layer, const Shape& shape, const Columns& after) {
  const std::vector<std::int64_t> counts = layer.categories(shape.size());
  const std::vector<std::int64_t> widths = layer.widths(shape.size());
  std::size_t next = 0;
  Columns result;
  for (std::size_t j = 0; j < counts.size(); ++j) {
    result.push_back(counts[j] > 0 ? layer.missing != Unseen::error : after[next]);
    next += static_cast<std::size_t>(widths[j]);
  }
  return result;
}

/// The same of a Take. Columns that it leaves out may hold anything.
Columns before(const Take& layer, const Shape& shape, const Columns& after) {
  const auto columns = static_cast<std::size_t>(shape.columns());
  Columns result(static_cast<std::size_t>(shape.size()), true);
  std::size_t next = 0;
  for (std::size_t p = 0; p < result.size(); p += columns)
    for (const std::int64_t column : layer.columns) {
      const std::size_t from = p + static_cast<std::size_t>(column);
      result[from] = result[from] && after[next++];
    }
  return result;
}

/// The same of any layer; of most, none may.
Columns before(const Layer& layer, const Shape& shape, const Columns& after) {
  if (const auto* normalization = dynamic_cast<const Normalization*>(&layer))
    return before(*normalization, shape, after);
  if (const auto* embedding = dynamic_cast<const Embedding*>(&layer))
    return before(*embedding, shape, after);
  if (const auto* encoding = dynamic_cast<const CategoryEncoding*>(&layer))
    return before(*encoding, shape, after);
  if (const auto* take = dynamic_cast<const Take*>(&layer)) return before(*take, shape, after);
  return Columns(static_cast<std::size_t>(shape.size()), false);
}

}  // namespace

// Backward from the outputs, which may hold no NaN: of each node's columns, whether NaN in them
// comes to a layer that handles it on every way on. Several readers must all agree. Topological
// order means that a node's readers are done before it.
std::vector<std::vector<bool>> missing_columns(const Graph& graph) {
  const std::vector<Node>& nodes = graph.nodes();
  const auto handles = [](const Node& node) {
    if (!node.layer) return false;
    const auto* layer = dynamic_cast<const Normalization*>(&**node.layer);
    return (layer && layer->missing != Normalization::Missing::error) ||
           (*node.layer)->missing_categories() != Unseen::error;
  };
  // Of most networks there is nothing to follow, and their tables may be large.
  if (std::none_of(nodes.begin(), nodes.end(), handles))
    return std::vector<std::vector<bool>>(graph.inputs().size());
  std::vector<Columns> allowed(nodes.size());  // empty: nothing reads it so far
  for (const std::int64_t output : graph.outputs()) {
    const auto i = static_cast<std::size_t>(output);
    allowed[i].assign(static_cast<std::size_t>(nodes[i].shape.size()), false);
  }
  for (std::size_t i = nodes.size(); i-- > 0;) {
    const Node& node = nodes[i];
    if (!node.layer) continue;
    if (allowed[i].empty()) allowed[i].assign(static_cast<std::size_t>(node.shape.size()), false);
    for (const std::int64_t read : node.inputs) {
      Columns& of_read = allowed[static_cast<std::size_t>(read)];
      const Columns here = before(**node.layer, graph.node(read).shape, allowed[i]);
      if (of_read.empty()) {
        of_read = here;
        continue;
      }
      for (std::size_t j = 0; j < here.size(); ++j) of_read[j] = of_read[j] && here[j];
    }
  }
  std::vector<Columns> result;
  for (const std::int64_t input : graph.inputs()) {
    Columns& columns = allowed[static_cast<std::size_t>(input)];
    const bool any = std::find(columns.begin(), columns.end(), true) != columns.end();
    result.push_back(any ? std::move(columns) : Columns{});
  }
  return result;
}

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/layer.hpp"
#include "chainrule/shape.hpp"

namespace chainrule {

struct GraphConfig;

/// A place in a graph: an input, or a layer with the nodes that it reads.
struct Node {
  std::string name;
  std::optional<AnyLayer> layer;     // none: an input
  std::vector<std::int64_t> inputs;  // indices of nodes before this one
  Shape shape;                       // of what it gives for a row
  std::int64_t layer_index = -1;     // among the nodes that are layers; -1: an input
  std::int64_t shares = -1;          // the node whose parameters it uses; -1: its own
  bool trainable = true;             // false: training leaves its parameters as they are
  std::int64_t member = 0;           // of an ensemble, from 1; 0: of none, see Graph::set_member
};

/// Layers and how they read each other: a directed acyclic graph, whose nodes are in topological
/// order since a node can only read those that are there. Each shape is worked out, and checked,
/// when its node is added.
///
///     Graph graph;
///     Graph::Tensor x = graph.input(64, "x");
///     Graph::Tensor h = graph.add(Dense(64, "relu"), x);
///     h = graph.add(Add(), {h, graph.add(Dense(64), h)});  // residual
///     graph.output(graph.add(Dense(10), h));
///     Network<float> network(graph, seed);
class CHAINRULE_API Graph {
 public:
  /// What a node gives: what other nodes can read.
  class Tensor {
   public:
    std::int64_t node() const { return node_; }

   private:
    friend class Graph;
    Tensor(std::uint64_t graph, std::int64_t node) : graph_(graph), node_(node) {}
    std::uint64_t graph_;
    std::int64_t node_;
  };

  Graph();
  /// The graph of a chain of layers, which are called "0", "1", ..., behind an input "x".
  static Graph chain(const std::vector<AnyLayer>& layers, const Shape& input);

  /// From a description, for which see graph_config.hpp. Throws Error for one of no graph: a node
  /// that reads one which does not come before it, as in a cycle, and whatever input, add and
  /// output refuse.
  static Graph from_config(const GraphConfig& config);
  GraphConfig config() const;

  /// Rows of this shape from the caller. Nodes without a name are called after their kind:
  /// "input", "dense", "dense_1", ... Throws Error for a name that is taken or begins with
  /// "optimizer.", and for extents below 1.
  Tensor input(const Shape& shape, const std::string& name = {});
  /// A layer that reads `inputs`. Throws Error, which names the node and the shapes, where the
  /// layer cannot take them, and for a tensor of another graph.
  Tensor add(const AnyLayer& layer, const std::vector<Tensor>& inputs,
             const std::string& name = {});
  Tensor add(const AnyLayer& layer, Tensor input, const std::string& name = {}) {
    return add(layer, std::vector<Tensor>{input}, name);
  }
  /// The layer of the node that gave `first` once more, with the same parameters, on other inputs
  /// of the same shapes. Nodes without a name are called "<name of the first>/1", ...
  Tensor add_shared(Tensor first, const std::vector<Tensor>& inputs, const std::string& name = {});
  /// Makes what a node gives an output of the graph; throws Error where it is one.
  void output(Tensor tensor);

  /// Has training change the parameters of a layer, or leave them as they are: for all nodes that
  /// share them. Throws Error for a name of none.
  void set_trainable(const std::string& name, bool trainable);

  /// Has a layer draw its random numbers, initial weights and masks, as it would in a network of
  /// the nodes of this member and those of none alone, whose seed is larger by member - 1. So an
  /// ensemble's members, from 1, differ, and each is to the bit what it would be by itself. 0,
  /// which all nodes are of at first: of no member. Throws Error for a name of no layer and below
  /// 0.
  void set_member(const std::string& name, std::int64_t member);

  /// Throws Error unless there are an input, a layer and an output, and each node leads to an
  /// output.
  void check() const;

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(std::int64_t index) const { return nodes_[static_cast<std::size_t>(index)]; }
  const std::vector<std::int64_t>& inputs() const { return inputs_; }    // indices of nodes
  const std::vector<std::int64_t>& outputs() const { return outputs_; }  // indices of nodes
  std::int64_t layer_count() const { return layer_count_; }
  /// The index of the node of the layer with this index.
  std::int64_t layer_node_index(std::int64_t layer_index) const;
  /// What a node of that name gives; throws Error where there is none.
  Tensor named(const std::string& name) const;
  /// The shapes of what a node reads.
  std::vector<Shape> input_shapes(const Node& node) const;
  /// Whether a layer is used by several nodes.
  bool shares_parameters() const;
  /// Whether it is one input, a layer behind the other, and the last one's output.
  bool is_chain() const;

  /// Whether both have the same nodes, whatever these are called, and the same outputs.
  friend CHAINRULE_API bool same_structure(const Graph& a, const Graph& b);

 private:
  Tensor append(Node node);
  std::string free_name(const std::string& wish, const std::string& kind, const char* separator,
                        bool first_plain) const;
  std::int64_t index_of(Tensor tensor, const std::string& reader) const;

  std::uint64_t number_;  // copies share it, and so their tensors
  std::vector<Node> nodes_;
  std::vector<std::int64_t> inputs_;
  std::vector<std::int64_t> outputs_;
  std::int64_t layer_count_ = 0;
};

}  // namespace chainrule

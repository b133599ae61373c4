// SPDX-License-Identifier: Apache-2.0
// Graphs of all layers that merge tensors or change their shapes, drawn at random.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "chainrule/graph.hpp"
#include "chainrule/merge_layers.hpp"
#include "chainrule/shape_layers.hpp"
#include "networks.hpp"

namespace chainrule::testing {

/// Draws the nodes of a graph with one flat input and one flat output. Activations are smooth, so
/// that only Maximum and Clip have points without a derivative.
class GraphDraws {
 public:
  explicit GraphDraws(uint64_t seed, int64_t scale = 1) : draws_(seed), scale_(scale) {}

  Graph draw(int64_t inputs, int64_t outputs, int64_t nodes) {
    last_ = {graph_.input(inputs, "x")};
    for (int64_t i = 0; i < nodes; ++i) add_node();
    // Tensors without a reader so far are joined before the output.
    std::vector<Graph::Tensor> ends;
    for (const Graph::Tensor tensor : last_)
      if (!is_read(tensor)) ends.push_back(graph_.add(Flatten(), tensor));
    Graph::Tensor end = ends.size() == 1 ? ends[0] : graph_.add(Concatenate(), ends);
    graph_.output(graph_.add(Dense(outputs), end));
    return graph_;
  }

 private:
  const Shape& shape(Graph::Tensor tensor) const { return graph_.node(tensor.node()).shape; }
  int64_t size() { return scale_ * draws_.integer(1, 5); }
  Graph::Tensor any() {
    return last_[static_cast<size_t>(draws_.integer(0, static_cast<int64_t>(last_.size()) - 1))];
  }
  bool is_read(Graph::Tensor tensor) const {
    for (const Node& node : graph_.nodes())
      for (const int64_t input : node.inputs)
        if (input == tensor.node()) return true;
    return false;
  }

  /// Its bias keeps zeros from being where others are zero too, at which Maximum has no derivative.
  Graph::Tensor dense_on(Graph::Tensor tensor, int64_t units) {
    const auto kind = draws_.integer(0, 1) ? Activation::Kind::tanh : Activation::Kind::gelu;
    Dense layer(units, Activation::defaults(kind));
    layer.bias_initializer = Initializer::defaults(Initializer::Kind::uniform);
    return graph_.add(layer, tensor);
  }

  /// Another tensor of the same positions with this many columns, where x has none of its own.
  Graph::Tensor like(Graph::Tensor x, int64_t columns) {
    for (const Graph::Tensor tensor : last_)
      if (draws_.integer(0, 2) == 0 && shape(tensor) == shape(x).with_columns(columns))
        return tensor;
    return dense_on(x, columns);
  }

  void add_node() {
    const Graph::Tensor x = any();
    const Shape& of = shape(x);
    const int64_t columns = of.columns();
    switch (draws_.integer(0, 15)) {
      case 0:
        return add(dense_on(x, size()));
      case 1:
        return add(Add(), {x, like(x, columns), like(x, columns)});
      case 2:
        return add(Subtract(), {dense_on(x, columns), x});
      case 3:
        return add(Multiply(), {x, like(x, columns), like(x, columns)});
      case 4:
        return add(Average(), {x, like(x, columns), x});
      case 5:
        return add(Maximum(), {like(x, columns), x, like(x, columns)});
      case 6:
        return add(Concatenate(), {x, like(x, size()), x});
      case 7:
        return of.rank() <= 2 ? add(Dot(), {x, like(x, columns)}) : add(Flatten(), {x});
      case 8:
        return add(Reshape({-1, smallest_factor(of.size())}), {x});
      case 9:
        return add(Flatten(), {x});
      case 10:
        return permute(x);
      case 11:
        return of.rank() == 1 && of.size() < 200 ? add(RepeatVector(draws_.integer(1, 4)), {x})
                                                 : permute(x);
      case 12:
        return of.rank() > 1 ? add(GlobalAveragePooling(), {x}) : add(Scale(0.5), {x});
      case 13:
        return add(Clip(-0.4, 0.6), {x});
      case 14:
        return add(GaussianNoise(0.1), {x});
      default:
        return add(Scale(draws_.uniform(0.5, 2)), {x});
    }
  }

  void permute(Graph::Tensor x) {
    std::vector<int64_t> dims;
    for (int64_t i = 1; i <= shape(x).rank(); ++i)
      dims.insert(dims.begin() + draws_.integer(0, static_cast<int64_t>(dims.size())), i);
    add(Permute(dims), {x});
  }

  static int64_t smallest_factor(int64_t size) {
    for (int64_t factor = 2; factor * factor <= size; ++factor)
      if (size % factor == 0) return factor;
    return size;
  }

  void add(const AnyLayer& layer, const std::vector<Graph::Tensor>& inputs) {
    add(graph_.add(layer, inputs));
  }
  void add(Graph::Tensor tensor) { last_.push_back(tensor); }

  Draws draws_;
  int64_t scale_;
  Graph graph_;
  std::vector<Graph::Tensor> last_;
};

inline Graph random_graph(uint64_t seed) {
  Draws draws(seed);
  const int64_t inputs = draws.integer(1, 12), outputs = draws.integer(1, 4);
  return GraphDraws(seed + 1).draw(inputs, outputs, draws.integer(1, 9));
}

/// All of these layers at sizes that give seven threads something to do, with 5 outputs.
inline Graph wide_graph(int64_t inputs) {
  Graph graph;
  const auto x = graph.input(inputs, "x");
  auto h = graph.add(dense(333, Activation::Kind::gelu), x);
  h = graph.add(Add(), {h, graph.add(dense(333, Activation::Kind::tanh), h), h});
  h = graph.add(Scale(0.5), h);
  auto t = graph.add(Reshape({9, -1}), h);
  t = graph.add(GaussianNoise(0.1), t);
  const auto p = graph.add(Permute({2, 1}), graph.add(dense(41, Activation::Kind::tanh), t));
  const auto d = graph.add(Dot(), {p, graph.add(Clip(-0.3, 0.8), p)});
  const auto pooled = graph.add(GlobalAveragePooling(), d);
  const auto best = graph.add(Maximum(), {pooled, graph.add(dense(41), x)});
  const auto mean = graph.add(Average(), {best, pooled});
  const auto repeated = graph.add(RepeatVector(3), graph.add(Multiply(), {mean, best}));
  const auto flat = graph.add(Flatten(), repeated);
  const auto joined = graph.add(Concatenate(), {flat, graph.add(Subtract(), {best, mean}), h});
  graph.output(graph.add(dense(5), joined));
  return graph;
}

}  // namespace chainrule::testing

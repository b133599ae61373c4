// SPDX-License-Identifier: Apache-2.0
#include "chainrule/graph.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/graph_config.hpp"
#include "chainrule/names.hpp"
#include "model/check_layer.hpp"
#include "model/utf8.hpp"

namespace chainrule {
namespace {

std::string quoted(const std::string& name) { return "'" + name + "'"; }

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

void check_name(const std::string& name) {
  model::check_text("the name of a node", name);
  // Model files call an optimizer's arrays so.
  if (name.starts_with("optimizer."))
    throw Error("the name of a node must not begin with 'optimizer.', got " + quoted(name));
}

void check_extents(const std::string& name, const Shape& shape) {
  if (shape.rank() == 0) throw Error("input " + quoted(name) + " has a shape without extents");
  for (const std::int64_t extent : shape.extents()) {
    if (extent < 1)
      throw Error("input " + quoted(name) + " has shape " + shape.text() +
                  "; all extents must be >= 1");
  }
  (void)shape.size();
}

}  // namespace

Graph::Graph() : number_(next_number()) {}

Graph Graph::chain(const std::vector<AnyLayer>& layers, const Shape& input) {
  Graph graph;
  Tensor last = graph.input(input, "x");
  for (std::size_t i = 0; i < layers.size(); ++i)
    last = graph.add(layers[i], last, std::to_string(i));
  if (!layers.empty()) graph.output(last);
  return graph;
}

Graph Graph::from_config(const GraphConfig& config) {
  Graph graph;
  const auto tensor = [&](const NodeConfig& reader, const std::string& name) {
    const auto is_named = [&](const auto& node) { return node.name == name; };
    if (std::any_of(graph.nodes_.begin(), graph.nodes_.end(), is_named)) return graph.named(name);
    if (std::any_of(config.nodes.begin(), config.nodes.end(), is_named))
      throw Error("node " + quoted(reader.name) + " reads " + quoted(name) +
                  ", which does not come before it: nodes must be in topological order, without a "
                  "cycle");
    return graph.named(name);
  };
  for (const NodeConfig& node : config.nodes) {
    if (node.name.empty()) throw Error("a node has no name");
    if (!node.layer && node.shares.empty()) {
      if (!node.inputs.empty()) throw Error("input " + quoted(node.name) + " reads other nodes");
      graph.input(node.shape, node.name);
      continue;
    }
    std::vector<Tensor> read;
    for (const std::string& input : node.inputs) read.push_back(tensor(node, input));
    if (node.shares.empty()) {
      graph.add(Layer::from_config(*node.layer), read, node.name);
    } else {
      graph.add_shared(tensor(node, node.shares), read, node.name);
    }
  }
  for (const NodeConfig& node : config.nodes) {
    if (!node.trainable) graph.set_trainable(node.name, false);
    if (node.member != 0) graph.set_member(node.name, node.member);
  }
  for (const std::string& output : config.outputs) graph.output(graph.named(output));
  return graph;
}

GraphConfig Graph::config() const {
  GraphConfig config;
  for (const Node& node : nodes_) {
    NodeConfig described{.name = node.name};
    described.trainable = node.trainable;
    described.member = node.member;
    if (!node.layer) {
      described.shape = node.shape;
    } else if (node.shares >= 0) {
      described.shares = this->node(node.shares).name;
    } else {
      described.layer = (*node.layer)->config();
    }
    for (const std::int64_t input : node.inputs) described.inputs.push_back(this->node(input).name);
    config.nodes.push_back(std::move(described));
  }
  for (const std::int64_t output : outputs_) config.outputs.push_back(node(output).name);
  return config;
}

Graph::Tensor Graph::append(Node node) {
  const auto index = static_cast<std::int64_t>(nodes_.size());
  const bool is_layer = node.layer.has_value();
  if (is_layer) node.layer_index = layer_count_;
  if (!is_layer) inputs_.reserve(inputs_.size() + 1);
  nodes_.push_back(std::move(node));
  if (is_layer) {
    ++layer_count_;
  } else {
    inputs_.push_back(index);
  }
  return {number_, index};
}

std::string Graph::free_name(const std::string& wish, const std::string& kind,
                             const char* separator, bool first_plain) const {
  const auto taken = [&](const std::string& name) {
    return std::any_of(nodes_.begin(), nodes_.end(),
                       [&](const Node& node) { return node.name == name; });
  };
  if (!wish.empty()) {
    check_name(wish);
    if (taken(wish)) throw Error("there are two nodes called " + quoted(wish));
    return wish;
  }
  if (first_plain && !taken(kind)) return kind;
  for (std::int64_t i = 1;; ++i) {
    std::string name = kind + separator + std::to_string(i);
    if (!taken(name)) return name;
  }
}

std::int64_t Graph::index_of(Tensor tensor, const std::string& reader) const {
  if (tensor.graph_ != number_ || tensor.node_ >= static_cast<std::int64_t>(nodes_.size()))
    throw Error(reader + " reads a tensor of another graph");
  return tensor.node_;
}

Graph::Tensor Graph::input(const Shape& shape, const std::string& name) {
  const std::string free = free_name(name, "input", "_", true);
  check_extents(free, shape);
  return append({.name = free, .layer = {}, .inputs = {}, .shape = shape});
}

Graph::Tensor Graph::add(const AnyLayer& layer, const std::vector<Tensor>& inputs,
                         const std::string& name) {
  const std::string kind(layer->kind());
  const std::string free = free_name(name, kind, "_", true);
  const std::string text = "layer " + free + " (" + kind + ")";
  std::vector<std::int64_t> read;
  std::vector<Shape> shapes;
  for (const Tensor tensor : inputs) {
    read.push_back(index_of(tensor, text));
    shapes.push_back(node(read.back()).shape);
  }
  if (layer->reads_categories() && read.size() == 1 && node(read[0]).layer)
    throw Error(text + " reads categories from x and must be the first layer");
  try {
    (void)layer->parameters(shapes);
    return append({.name = free,
                   .layer = layer,
                   .inputs = std::move(read),
                   .shape = layer->output_shape(shapes)});
  } catch (const Error& error) {
    throw Error(text + " on " + model::shapes_text(shapes) + ": " + error.what());
  }
}

Graph::Tensor Graph::add_shared(Tensor first, const std::vector<Tensor>& inputs,
                                const std::string& name) {
  std::int64_t owner = index_of(first, "a shared layer");
  if (!node(owner).layer)
    throw Error("input " + quoted(node(owner).name) + " is no layer to share");
  if (node(owner).shares >= 0) owner = node(owner).shares;
  const std::string free = free_name(name, node(owner).name, "/", false);
  const std::string text = "node " + quoted(free);
  std::vector<std::int64_t> read;
  std::vector<Shape> shapes;
  for (const Tensor tensor : inputs) {
    read.push_back(index_of(tensor, text));
    shapes.push_back(node(read.back()).shape);
  }
  const std::vector<Shape> expected = input_shapes(node(owner));
  if (shapes != expected)
    throw Error(text + " shares the parameters of " + quoted(node(owner).name) + ", which reads " +
                model::shapes_text(expected) + ", and cannot read " + model::shapes_text(shapes));
  const Shape shape = node(owner).shape;
  return append({.name = free,
                 .layer = node(owner).layer,
                 .inputs = std::move(read),
                 .shape = shape,
                 .shares = owner,
                 .trainable = node(owner).trainable});
}

void Graph::output(Tensor tensor) {
  const std::int64_t index = index_of(tensor, "an output");
  if (!node(index).layer) throw Error("input " + quoted(node(index).name) + " cannot be an output");
  if (std::find(outputs_.begin(), outputs_.end(), index) != outputs_.end())
    throw Error("node " + quoted(node(index).name) + " is an output twice");
  outputs_.push_back(index);
}

void Graph::set_trainable(const std::string& name, bool trainable) {
  std::int64_t owner = named(name).node();
  if (!node(owner).layer) throw Error("input " + quoted(name) + " has no parameters to train");
  if (node(owner).shares >= 0) owner = node(owner).shares;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (static_cast<std::int64_t>(i) == owner || nodes_[i].shares == owner)
      nodes_[i].trainable = trainable;
}

void Graph::set_member(const std::string& name, std::int64_t member) {
  Node& node = nodes_[static_cast<std::size_t>(named(name).node())];
  if (!node.layer) throw Error("input " + quoted(name) + " is no layer of a member");
  if (member < 0)
    throw Error("the member of node " + quoted(name) + " must be >= 0, got " +
                std::to_string(member));
  node.member = member;
}

void Graph::check() const {
  if (layer_count_ == 0) throw Error("a network needs at least one layer");
  if (outputs_.empty()) throw Error("a network needs at least one output");
  std::vector<bool> used(nodes_.size(), false);
  for (const std::int64_t output : outputs_) used[static_cast<std::size_t>(output)] = true;
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    if (!used[i])
      throw Error((nodes_[i].layer ? "node " : "input ") + quoted(nodes_[i].name) +
                  " leads to no output");
    for (const std::int64_t input : nodes_[i].inputs) used[static_cast<std::size_t>(input)] = true;
  }
}

std::int64_t Graph::layer_node_index(std::int64_t layer_index) const {
  const auto found = std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& node) {
    return node.layer && node.layer_index == layer_index;
  });
  return found - nodes_.begin();
}

Graph::Tensor Graph::named(const std::string& name) const {
  std::vector<std::string> valid;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].name == name) return {number_, static_cast<std::int64_t>(i)};
    valid.push_back(nodes_[i].name);
  }
  throw Error(unknown_name("node", name, valid));
}

std::vector<Shape> Graph::input_shapes(const Node& of) const {
  std::vector<Shape> shapes;
  for (const std::int64_t input : of.inputs) shapes.push_back(node(input).shape);
  return shapes;
}

bool Graph::shares_parameters() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [](const Node& n) { return n.shares >= 0; });
}

bool Graph::is_chain() const {
  if (inputs_ != std::vector<std::int64_t>{0}) return false;
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    if (nodes_[i].inputs != std::vector<std::int64_t>{static_cast<std::int64_t>(i) - 1} ||
        nodes_[i].shares >= 0)
      return false;
  }
  return outputs_ == std::vector<std::int64_t>{static_cast<std::int64_t>(nodes_.size()) - 1};
}

bool same_structure(const Graph& a, const Graph& b) {
  const auto same = [](const Node& x, const Node& y) {
    return x.layer.has_value() == y.layer.has_value() && x.inputs == y.inputs &&
           x.shape == y.shape && x.shares == y.shares && x.member == y.member &&
           (!x.layer || (*x.layer)->config() == (*y.layer)->config());
  };
  return a.outputs_ == b.outputs_ &&
         std::equal(a.nodes_.begin(), a.nodes_.end(), b.nodes_.begin(), b.nodes_.end(), same);
}

}  // namespace chainrule

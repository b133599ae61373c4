// SPDX-License-Identifier: Apache-2.0
#include "model/last_activation.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "chainrule/config.hpp"
#include "chainrule/convolution_layers.hpp"
#include "chainrule/error.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/merge_layers.hpp"
#include "chainrule/recurrent_layers.hpp"
#include "model/activation_row.hpp"
#include "model/fields.hpp"

namespace chainrule::model {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

const Activation* activation_of(const Layer& layer) {
  if (const auto* dense = dynamic_cast<const Dense*>(&layer)) return &dense->activation;
  if (const auto* kernel = dynamic_cast<const KernelLayer*>(&layer)) return &kernel->activation;
  if (const auto* alone = dynamic_cast<const ActivationLayer*>(&layer)) return &alone->activation;
  return nullptr;
}

/// The activation whose values the states of a recurrent layer are, or lie among; of others null.
const Activation* activation_of_states(const Layer& layer) {
  static const Activation tanh{Activation::Kind::tanh};
  if (const auto* simple = dynamic_cast<const SimpleRNN*>(&layer)) return &simple->activation;
  return dynamic_cast<const RecurrentLayer*>(&layer) ? &tanh : nullptr;
}

/// The last activation, with what the layers behind it make of its values: scale * value + offset.
struct LastActivation {
  const Activation* activation = nullptr;  // none: outputs may be any numbers
  double scale = 1.0;
  double offset = 0.0;
  const Node* behind = nullptr;  // the layer that comes next behind the activation, if one does
};

/// Whether what a layer gives are values of its input, or lie among them.
bool passes_values(const Layer& layer) {
  constexpr std::array<std::string_view, 12> kinds{"dropout",
                                                   "reshape",
                                                   "flatten",
                                                   "permute",
                                                   "repeat_vector",
                                                   "global_average_pooling",
                                                   "global_max_pooling",
                                                   "max_pooling",
                                                   "average_pooling",
                                                   "up_sampling",
                                                   "cropping",
                                                   "take"};
  return std::find(kinds.begin(), kinds.end(), layer.kind()) != kinds.end();
}

LastActivation find_last(const Graph& graph, std::int64_t output) {
  LastActivation found;
  // Up to an input, or to a layer that reads several tensors.
  for (const Node* node = &graph.node(output); node->inputs.size() == 1;
       node = &graph.node(node->inputs.front())) {
    const Layer& layer = **node->layer;
    if (const Activation* states = activation_of_states(layer)) {
      found.activation = states;
      found.behind = node;  // which makes them, so that no loss contains their activation
      return found;
    }
    const Activation* activation = activation_of(layer);
    if (activation && activation->kind != Activation::Kind::linear) {
      found.activation = activation;
      return found;
    }
    if (const auto* rescaling = dynamic_cast<const Rescaling*>(&layer)) {
      found.offset += found.scale * rescaling->offset;
      found.scale *= rescaling->scale;
    } else if (dynamic_cast<const ActivationLayer*>(&layer)) {
      continue;  // an activation layer that is linear makes no stage
    } else if (!passes_values(layer)) {
      return found;  // a layer that gives any numbers, such as a normalisation
    }
    found.behind = node;
  }
  return found;
}

OutputRange range_of(const LastActivation& last) {
  if (!last.activation) return {-kInfinity, kInfinity};
  const OutputRange inner = output_range(*last.activation);
  if (last.scale == 0.0) return {last.offset, last.offset};
  const double a = last.scale * inner.low + last.offset;
  const double b = last.scale * inner.high + last.offset;
  return {std::min(a, b), std::max(a, b)};
}

std::string link_name(Loss::Link link) {
  switch (link) {
    case Loss::Link::softmax:
      return "softmax";
    case Loss::Link::sigmoid:
      return "sigmoid";
    default:
      return "";
  }
}

std::string text_of(const OutputRange& range) {
  const std::string low = std::isinf(range.low) ? "(-inf" : "[" + to_text(range.low);
  return low + ", " + (std::isinf(range.high) ? "inf)" : to_text(range.high) + "]");
}

}  // namespace

bool contains(const Loss& loss, const Activation& activation) {
  if (loss.from_logits()) return false;
  return (loss.link() == Loss::Link::softmax && activation.kind == Activation::Kind::softmax) ||
         (loss.link() == Loss::Link::sigmoid && activation.kind == Activation::Kind::sigmoid);
}

namespace {

/// The activation that a node ends in, with no layer behind it; linear where it ends in none.
Activation::Kind ending(const Graph& graph, std::int64_t node) {
  const LastActivation last = find_last(graph, node);
  return last.activation && !last.behind ? last.activation->kind : Activation::Kind::linear;
}

void check_node(const Loss& loss, const Graph& graph, std::int64_t output) {
  const LastActivation last = find_last(graph, output);
  const std::int64_t outputs = graph.node(output).shape.columns();
  if (!last.activation || loss.from_logits()) return;
  if (last.activation->kind == Activation::Kind::softmax && outputs == 1)
    throw Error(
        "a softmax over one output is always 1 and cannot be trained: use Dense(2) for "
        "cross_entropy, or Dense(1) or Dense(1, activation=\"sigmoid\") for "
        "binary_cross_entropy");
  const bool own = contains(loss, *last.activation);
  if (own && !last.behind) return;
  const OutputRange range = range_of(last);
  const std::string name = loss.config().kind;
  const std::string activation(last.activation->config().kind);
  const std::string dense = "Dense(" + std::to_string(outputs);
  if (loss.kind == Loss::Kind::hinge) {
    if (range.low < 0.0 && range.high > 0.0) return;
    throw Error("hinge needs outputs of both signs, but the last activation is " + activation +
                ", whose values lie in " + text_of(range) + ": use " + dense +
                ") without activation, or " + dense + ", activation=\"tanh\")");
  }
  if (loss.link() == Loss::Link::identity) return;
  if (std::isinf(range.low) && std::isinf(range.high)) return;
  const std::string link = link_name(loss.link());
  std::string text =
      name + " takes outputs that may be any number (" +
      (loss.link() == Loss::Link::exponential ? "the logarithms of means" : "logits") +
      "), but the last activation is " + activation;
  if (last.behind) {
    const Layer& layer = **last.behind->layer;
    const bool states = activation_of_states(layer);
    text += std::string(states ? " of layer " : " with layer ") + last.behind->name + " (" +
            std::string(layer.kind()) + (states ? ")" : ") behind it");
  }
  text += ", which gives values in " + text_of(range) + ": use " + dense + ") without activation";
  if (!link.empty()) text += ", or " + dense + ", activation=\"" + link + "\") as the last layer";
  throw Error(text + ". from_logits=True in the loss takes the outputs as they are all the same");
}

}  // namespace

std::span<const std::int64_t> trained_nodes(const Graph& graph, const std::int64_t& output) {
  const Node& node = graph.node(output);
  const auto* average = dynamic_cast<const Average*>(&**node.layer);
  if (average && average->independent) return node.inputs;
  return {&output, 1};
}

Activation::Kind last_activation(const Graph& graph, std::int64_t output) {
  const std::span<const std::int64_t> nodes = trained_nodes(graph, output);
  const Activation::Kind first = ending(graph, nodes.front());
  const bool agree = std::all_of(nodes.begin(), nodes.end(),
                                 [&](std::int64_t node) { return ending(graph, node) == first; });
  return agree ? first : Activation::Kind::linear;
}

void check_last_activation(const Loss& loss, const Graph& graph, std::int64_t output) {
  const std::span<const std::int64_t> nodes = trained_nodes(graph, output);
  const bool contained = contains(loss, {ending(graph, nodes.front())});
  for (const std::int64_t node : nodes) {
    check_node(loss, graph, node);
    if (contains(loss, {ending(graph, node)}) != contained)
      throw Error("output " + graph.node(output).name +
                  " is the mean of members of which only some end in the activation of " +
                  loss.config().kind + ": give it to all of them or to none");
  }
}

}  // namespace chainrule::model

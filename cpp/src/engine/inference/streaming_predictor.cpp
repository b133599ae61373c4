// SPDX-License-Identifier: Apache-2.0
// A network over sequences as one over sequences of a single frame, for a plan that streams: such a
// layer's output at a frame depends on that frame and on what its stage keeps of those before.
#include "chainrule/streaming_predictor.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "chainrule/convolution_layers.hpp"
#include "chainrule/graph_config.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/recurrent_layers.hpp"
#include "chainrule/shape_layers.hpp"
#include "engine/network_state.hpp"
#include "model/lambda.hpp"

namespace chainrule {
namespace {

/// Kinds of layers that work on each position by itself.
constexpr auto kByPosition = std::to_array<std::string_view>({"activation",
                                                              "add",
                                                              "average",
                                                              "batch_normalization",
                                                              "clip",
                                                              "concatenate",
                                                              "dense",
                                                              "dropout",
                                                              "gaussian_noise",
                                                              "layer_normalization",
                                                              "maximum",
                                                              "multiply",
                                                              "normalization",
                                                              "parametric_activation",
                                                              "periodic_embedding",
                                                              "piecewise_linear_embedding",
                                                              "prelu",
                                                              "rescaling",
                                                              "scale",
                                                              "subtract",
                                                              "take"});

/// Why a convolution over time cannot go on from frame to frame; empty: it can.
template <class L>
std::string obstacle(const L& convolution) {
  const std::int64_t stride = convolution.strides.front();
  if (stride != 1) return "its strides are " + std::to_string(stride) + ", expected 1";
  if (convolution.kernel_size.front() > 1 && convolution.padding != Padding::causal)
    return "its padding must be 'causal', so that it reads no frames to come";
  return {};
}

/// Whether a layer makes the same columns of each category, wherever in a row that stands.
bool is_table_of_tokens(const Node& node) {
  if (!node.layer) return false;
  if (const auto* table = dynamic_cast<const Embedding*>(&**node.layer))
    return table->num_embeddings.size() == 1 && table->columns.empty();
  const auto* ones = dynamic_cast<const CategoryEncoding*>(&**node.layer);
  return ones && ones->num_tokens.size() == 1 && ones->columns.empty() &&
         ones->output_mode == CategoryEncoding::OutputMode::one_hot;
}

/// Of each node how many frames lie side by side in its row, 0 of those with a time axis: inputs
/// of tokens, and the tables that read them, in front of a Reshape that makes frames of them.
std::vector<std::int64_t> flat_frames(const Graph& graph) {
  std::vector<std::int64_t> frames(graph.nodes().size(), 0);
  for (const Node& node : graph.nodes()) {
    if (!node.layer || (*node.layer)->kind() != "reshape" || node.shape.rank() != 2) continue;
    const Node& table = graph.node(node.inputs.front());
    if (!is_table_of_tokens(table)) continue;
    const std::int64_t input = table.inputs.front();
    const std::int64_t time = node.shape.positions();
    if (graph.node(input).layer || graph.node(input).shape.size() % time != 0) continue;
    frames[static_cast<std::size_t>(node.inputs.front())] = time;
    frames[static_cast<std::size_t>(input)] = time;
  }
  return frames;
}

/// Why a layer that reads rows of `read` frames side by side cannot go on; empty: it can.
std::string obstacle(const Graph& graph, const Node& node, std::int64_t read, std::int64_t own) {
  const bool makes_frames = (*node.layer)->kind() == "reshape" && node.shape.rank() == 2 &&
                            node.shape.positions() == read &&
                            is_table_of_tokens(graph.node(node.inputs.front()));
  if (makes_frames || (is_table_of_tokens(node) && own == read)) return {};
  return "it reads the tokens of several frames at once, which an Embedding of one table, or a "
         "one-hot CategoryEncoding, and a Reshape to (time, columns) make frames of";
}

/// Why a layer cannot; empty: it can.
std::string obstacle(const Graph& graph, const Node& node) {
  const Layer& layer = **node.layer;
  if (const auto* recurrent = dynamic_cast<const RecurrentLayer*>(&layer)) {
    if (recurrent->return_state) return "it gives the final state of whole sequences";
    if (recurrent->go_backwards) return "it goes backwards, from the last frame on";
    if (node.inputs.size() == 1) return {};
    return recurrent->reads_lengths(graph.input_shapes(node))
               ? "it reads the lengths of whole sequences"
               : "it begins with a state that another node gives";
  }
  if (const auto* convolution = dynamic_cast<const Conv1D*>(&layer)) return obstacle(*convolution);
  if (const auto* depthwise = dynamic_cast<const DepthwiseConv1D*>(&layer))
    return obstacle(*depthwise);
  const bool by_position =
      std::find(kByPosition.begin(), kByPosition.end(), layer.kind()) != kByPosition.end();
  return by_position ? "" : "it does not work on each frame by itself";
}

/// The same nodes over sequences of one frame; throws Error where they need more.
Graph frame_graph(const Graph& graph) {
  model::refuse_lambdas(graph, "a StreamingPredictor");
  const std::vector<std::int64_t> flat = flat_frames(graph);
  const auto flat_of = [&](std::int64_t node) { return flat[static_cast<std::size_t>(node)]; };
  for (std::size_t i = 0; i < flat.size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (!node.layer) continue;
    std::int64_t read = 0;
    for (const std::int64_t input : node.inputs) read = std::max(read, flat_of(input));
    const std::string found =
        read > 0 ? obstacle(graph, node, read, flat[i]) : obstacle(graph, node);
    if (!found.empty())
      throw Error("a StreamingPredictor goes from frame to frame, which node '" + node.name +
                  "' (" + std::string((*node.layer)->kind()) + ") cannot: " + found);
  }
  std::int64_t time = -1;
  for (const std::int64_t input : graph.inputs()) {
    const Node& node = graph.node(input);
    if (node.shape.rank() != 2 && flat_of(input) == 0)
      throw Error("a StreamingPredictor reads inputs of shape (time, features), got '" + node.name +
                  "' of shape " + node.shape.text());
    const std::int64_t own = flat_of(input) > 0 ? flat_of(input) : node.shape.positions();
    if (time >= 0 && time != own)
      throw Error("a StreamingPredictor reads inputs of one length, got " + std::to_string(time) +
                  " frames and '" + node.name + "' of shape " + node.shape.text());
    time = own;
  }
  GraphConfig config = graph.config();
  for (std::size_t i = 0; i < flat.size(); ++i) {
    NodeConfig& node = config.nodes[i];
    const Shape& shape = graph.nodes()[i].shape;
    if (!graph.nodes()[i].layer) {
      node.shape = flat[i] > 0 ? Shape{shape.size() / flat[i]} : Shape{1, shape.columns()};
    } else if (node.layer && (*graph.nodes()[i].layer)->kind() == "reshape") {
      node.layer = Reshape({1, shape.columns()}).config();
    }
  }
  return Graph::from_config(config);
}

}  // namespace

// No array of such layers depends on the length of the time axis.
template <class T>
Network<T> StreamingPredictor<T>::frames_of(const Network<T>& network) {
  const engine::Reading guard(*network.state_);
  const engine::Parameters<T>& from = network.state_->parameters;
  Network<T> frames(frame_graph(network.state_->graph), 0, InitialValues::zeros);
  frames.state_->parameters.values.copy_from(from.values);
  return frames;
}

template <class T>
StreamingPredictor<T>::StreamingPredictor(const Network<T>& network, Loss::Link link,
                                          const Quantization& quantization)
    : predictor_(frames_of(network), link, quantization, true) {}

template <class T>
void StreamingPredictor<T>::update(const Network<T>& network) {
  predictor_.update(frames_of(network));
}

template class StreamingPredictor<float>;
template class StreamingPredictor<double>;

}  // namespace chainrule

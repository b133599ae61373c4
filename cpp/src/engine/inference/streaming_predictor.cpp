// SPDX-License-Identifier: Apache-2.0
// A network over sequences as one over sequences of a single frame, for a plan that streams: such a
// layer's output at a frame depends on that frame and on what its stage keeps of those before.
#include "chainrule/streaming_predictor.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "chainrule/convolution_layers.hpp"
#include "chainrule/graph_config.hpp"
#include "chainrule/recurrent_layers.hpp"
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
  for (const Node& node : graph.nodes()) {
    const std::string found = node.layer ? obstacle(graph, node) : std::string();
    if (!found.empty())
      throw Error("a StreamingPredictor goes from frame to frame, which node '" + node.name +
                  "' (" + std::string((*node.layer)->kind()) + ") cannot: " + found);
  }
  std::int64_t time = -1;
  for (const std::int64_t input : graph.inputs()) {
    const Node& node = graph.node(input);
    if (node.shape.rank() != 2)
      throw Error("a StreamingPredictor reads inputs of shape (time, features), got '" + node.name +
                  "' of shape " + node.shape.text());
    if (time >= 0 && time != node.shape.positions())
      throw Error("a StreamingPredictor reads inputs of one length, got " + std::to_string(time) +
                  " frames and '" + node.name + "' of shape " + node.shape.text());
    time = node.shape.positions();
  }
  GraphConfig config = graph.config();
  for (NodeConfig& node : config.nodes)
    if (!node.layer && node.shares.empty()) node.shape = Shape{1, node.shape.columns()};
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

// SPDX-License-Identifier: Apache-2.0
#include <chainrule/convolution_layers.hpp>
#include <chainrule/layers.hpp>
#include <chainrule/network.hpp>
#include <chainrule/predictor.hpp>
#include <chainrule/recurrent_layers.hpp>
#include <chainrule/streaming_predictor.hpp>
#include <string>
#include <vector>

#include "peer.hpp"

namespace {

chainrule::Activation activation(ActivationKind kind) {
  using Kind = chainrule::Activation::Kind;
  if (kind == ActivationKind::linear) return {};
  return chainrule::Activation::defaults(kind == ActivationKind::relu ? Kind::relu : Kind::tanh);
}

chainrule::AnyLayer layer(const LayerDescription& d) {
  switch (d.kind) {
    case LayerKind::gru:
      return chainrule::GRU(d.outputs);
    case LayerKind::lstm:
      return chainrule::LSTM(d.outputs);
    case LayerKind::causal_convolution: {
      chainrule::Conv1D convolution(d.outputs, {d.taps}, activation(d.activation));
      convolution.dilation = {d.dilation};
      convolution.padding = chainrule::Padding::causal;
      return convolution;
    }
    case LayerKind::dense:
      break;
  }
  return chainrule::Dense(d.outputs, activation(d.activation));
}

chainrule::Network<float> build(const NetworkDescription& d) {
  std::vector<chainrule::AnyLayer> layers;
  for (std::int64_t l = 0; l < d.depth; ++l) layers.push_back(layer(d.layers[l]));
  // The length of the time axis is of no concern to a stream.
  const chainrule::Shape input =
      d.is_stream() ? chainrule::Shape{1, d.inputs()} : chainrule::Shape{d.inputs()};
  chainrule::Network<float> network(chainrule::Graph::chain(layers, input), 0);
  for (std::int64_t l = 0; l < d.depth; ++l) {
    const LayerDescription& from = d.layers[l];
    const std::string name = std::to_string(l);
    network.set_parameter(name + ".weight", from.weight);
    network.set_parameter(name + ".bias", from.bias);
    if (from.gates() > 1) network.set_parameter(name + ".recurrent_weight", from.recurrent_weight);
    if (from.kind == LayerKind::gru)
      network.set_parameter(name + ".recurrent_bias", from.recurrent_bias);
  }
  return network;
}

class RowPeer final : public Peer {
 public:
  explicit RowPeer(const NetworkDescription& d) : predictor_(build(d)), scratch_(predictor_) {}
  const char* name() const override { return PEER_NAME; }
  void predict(const float* in, float* out) override { predictor_.predict(in, out, scratch_); }

 private:
  chainrule::Predictor<float> predictor_;
  chainrule::Predictor<float>::Scratch scratch_;
};

class StreamPeer final : public Peer {
 public:
  explicit StreamPeer(const NetworkDescription& d) : predictor_(build(d)), state_(predictor_) {}
  const char* name() const override { return PEER_NAME; }
  void predict(const float* in, float* out) override { predictor_.step(in, out, state_); }

 private:
  chainrule::StreamingPredictor<float> predictor_;
  chainrule::StreamingPredictor<float>::StreamState state_;
};

}  // namespace

PEER_EXPORT Peer* PEER_FACTORY(const NetworkDescription& d) {
  if (d.is_stream()) return new StreamPeer(d);
  return new RowPeer(d);
}

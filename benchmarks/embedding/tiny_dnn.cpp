// SPDX-License-Identifier: Apache-2.0
#include <tiny_dnn/tiny_dnn.h>

#include <algorithm>

#include "peer.hpp"

namespace {

class TinyDnnPeer final : public Peer {
 public:
  explicit TinyDnnPeer(const NetworkDescription& d) : in_(static_cast<std::size_t>(d.inputs())) {
    using namespace tiny_dnn;
    for (std::int64_t l = 0; l < d.depth; ++l) {
      const auto inputs = static_cast<std::size_t>(d.layers[l].inputs);
      const auto outputs = static_cast<std::size_t>(d.layers[l].outputs);
      network_ << fully_connected_layer(inputs, outputs, true, core::backend_t::avx);
      if (d.layers[l].activation == ActivationKind::relu) network_ << relu_layer(outputs);
      if (d.layers[l].activation == ActivationKind::tanh) network_ << tanh_layer(outputs);
    }
    network_.init_weight();
    for (std::int64_t l = 0; l < d.depth; ++l) {
      const LayerDescription& layer = d.layers[l];
      auto& weights = *network_[static_cast<std::size_t>(2 * l)]->weights()[0];
      auto& biases = *network_[static_cast<std::size_t>(2 * l)]->weights()[1];
      std::copy_n(layer.weight, layer.inputs * layer.outputs, weights.begin());
      std::copy_n(layer.bias, layer.outputs, biases.begin());
    }
  }
  const char* name() const override { return PEER_NAME; }
  void predict(const float* in, float* out) override {
    std::copy_n(in, in_.size(), in_.begin());
    const tiny_dnn::vec_t result = network_.predict(in_);
    std::copy(result.begin(), result.end(), out);
  }

 private:
  tiny_dnn::network<tiny_dnn::sequential> network_;
  tiny_dnn::vec_t in_;
};

}  // namespace

// Its recurrent layers go through whole sequences.
PEER_EXPORT Peer* PEER_FACTORY(const NetworkDescription& d) {
  return d.is_stream() ? nullptr : new TinyDnnPeer(d);
}

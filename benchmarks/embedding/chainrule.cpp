// SPDX-License-Identifier: Apache-2.0
#include <chainrule/layers.hpp>
#include <chainrule/network.hpp>
#include <chainrule/predictor.hpp>
#include <string>
#include <vector>

#include "peer.hpp"

namespace {

chainrule::Network<float> build(const NetworkDescription& d) {
  const auto kind = d.hidden == Hidden::relu ? chainrule::Activation::Kind::relu
                                             : chainrule::Activation::Kind::tanh;
  std::vector<chainrule::AnyLayer> layers;
  for (std::int64_t l = 0; l < d.depth; ++l) {
    const auto activation =
        l + 1 < d.depth ? chainrule::Activation::defaults(kind) : chainrule::Activation{};
    layers.push_back(chainrule::Dense(d.layers[l].outputs, activation));
  }
  chainrule::Network<float> network(layers, d.layers[0].inputs, 0);
  for (std::int64_t l = 0; l < d.depth; ++l) {
    network.set_parameter(std::to_string(l) + ".weight", d.layers[l].weight);
    network.set_parameter(std::to_string(l) + ".bias", d.layers[l].bias);
  }
  return network;
}

class ChainrulePeer final : public Peer {
 public:
  explicit ChainrulePeer(const NetworkDescription& d)
      : predictor_(build(d)), scratch_(predictor_) {}
  const char* name() const override { return PEER_NAME; }
  void predict(const float* in, float* out) override { predictor_.predict(in, out, scratch_); }

 private:
  chainrule::Predictor<float> predictor_;
  chainrule::Predictor<float>::Scratch scratch_;
};

}  // namespace

PEER_EXPORT Peer* PEER_FACTORY(const NetworkDescription& d) { return new ChainrulePeer(d); }

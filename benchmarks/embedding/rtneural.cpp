// SPDX-License-Identifier: Apache-2.0
// Networks whose sizes the compiler knows, which RTNeural recommends for speed.
#include <RTNeural/RTNeural.h>

#include <algorithm>
#include <vector>

#include "peer.hpp"

namespace {

template <class Model>
class RtneuralPeer final : public Peer {
 public:
  const char* name() const override { return PEER_NAME; }
  void predict(const float* in, float* out) override {
    // Its vector loads need aligned memory, so an embedder's row is copied.
    std::copy_n(in, Model::input_size, in_);
    model_.forward(in_);
    std::copy_n(model_.getOutputs(), Model::output_size, out);
  }

  Model model_;

 private:
  alignas(64) float in_[Model::input_size]{};
};

template <class Layer>
void fill(Layer& layer, const DenseDescription& d) {
  std::vector<std::vector<float>> weight(static_cast<std::size_t>(d.outputs));
  for (std::int64_t j = 0; j < d.outputs; ++j) {
    for (std::int64_t k = 0; k < d.inputs; ++k)
      weight[static_cast<std::size_t>(j)].push_back(d.weight[k * d.outputs + j]);
  }
  layer.setWeights(weight);
  layer.setBias(d.bias);
}

bool matches(const NetworkDescription& d, std::initializer_list<std::int64_t> sizes) {
  if (d.depth + 1 != static_cast<std::int64_t>(sizes.size())) return false;
  const std::int64_t* size = sizes.begin();
  if (d.layers[0].inputs != *size) return false;
  for (std::int64_t l = 0; l < d.depth; ++l) {
    if (d.layers[l].outputs != size[l + 1]) return false;
  }
  return true;
}

template <template <class, int> class Hidden, int A, int B, int C, int D>
Peer* deep(const NetworkDescription& d) {
  using namespace RTNeural;
  using Model = ModelT<float, A, D, DenseT<float, A, B>, Hidden<float, B>, DenseT<float, B, C>,
                       Hidden<float, C>, DenseT<float, C, D>>;
  auto* peer = new RtneuralPeer<Model>;
  fill(peer->model_.template get<0>(), d.layers[0]);
  fill(peer->model_.template get<2>(), d.layers[1]);
  fill(peer->model_.template get<4>(), d.layers[2]);
  return peer;
}

template <template <class, int> class Hidden, int A, int B, int C>
Peer* shallow(const NetworkDescription& d) {
  using namespace RTNeural;
  using Model = ModelT<float, A, C, DenseT<float, A, B>, Hidden<float, B>, DenseT<float, B, C>>;
  auto* peer = new RtneuralPeer<Model>;
  fill(peer->model_.template get<0>(), d.layers[0]);
  fill(peer->model_.template get<2>(), d.layers[1]);
  return peer;
}

template <template <class, int> class Hidden>
Peer* make(const NetworkDescription& d) {
  if (matches(d, {8, 64, 64, 4})) return deep<Hidden, 8, 64, 64, 4>(d);
  if (matches(d, {376, 256, 256, 17})) return deep<Hidden, 376, 256, 256, 17>(d);
  if (matches(d, {784, 128, 10})) return shallow<Hidden, 784, 128, 10>(d);
  return nullptr;
}

template <class T, int size>
using Tanh = RTNeural::TanhActivationT<T, size>;
template <class T, int size>
using Relu = RTNeural::ReLuActivationT<T, size>;

}  // namespace

PEER_EXPORT Peer* PEER_FACTORY(const NetworkDescription& d) {
  return d.hidden == Hidden::relu ? make<Relu>(d) : make<Tanh>(d);
}

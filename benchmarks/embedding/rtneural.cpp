// SPDX-License-Identifier: Apache-2.0
// Networks whose sizes the compiler knows, which RTNeural recommends for speed.
#include <RTNeural/RTNeural.h>

#include <algorithm>
#include <vector>

#include "peer.hpp"

namespace {

using namespace RTNeural;

template <class Model>
class RtneuralPeer final : public Peer {
 public:
  RtneuralPeer() { model_.reset(); }
  const char* name() const override { return PEER_NAME; }
  void predict(const float* in, float* out) override {
    // Its vector loads need aligned memory, so an embedder's row is copied.
    std::copy_n(in, Model::input_size, in_);
    model_.forward(in_);
    std::copy_n(model_.getOutputs(), Model::output_size, out);
  }

  Model model_;

 private:
  alignas(64) float in_[(Model::input_size + 15) / 16 * 16]{};  // it reads whole vectors
};

/// rows x columns of a matrix, from row-major numbers.
std::vector<std::vector<float>> matrix(const float* from, std::int64_t rows, std::int64_t columns) {
  std::vector<std::vector<float>> to;
  for (std::int64_t i = 0; i < rows; ++i, from += columns) to.emplace_back(from, from + columns);
  return to;
}

template <int in, int out>
void fill(DenseT<float, in, out>& layer, const LayerDescription& d) {
  std::vector<std::vector<float>> weight(out);
  for (int j = 0; j < out; ++j) {
    for (int k = 0; k < in; ++k) weight[j].push_back(d.weight[k * out + j]);
  }
  layer.setWeights(weight);
  layer.setBias(d.bias);
}

template <int in, int out>
void fill(GRULayerT<float, in, out>& layer, const LayerDescription& d) {
  layer.setWVals(matrix(d.weight, in, 3 * out));
  layer.setUVals(matrix(d.recurrent_weight, out, 3 * out));
  layer.setBVals({matrix(d.bias, 1, 3 * out)[0], matrix(d.recurrent_bias, 1, 3 * out)[0]});
}

template <int in, int out>
void fill(LSTMLayerT<float, in, out>& layer, const LayerDescription& d) {
  layer.setWVals(matrix(d.weight, in, 4 * out));
  layer.setUVals(matrix(d.recurrent_weight, out, 4 * out));
  layer.setBVals(matrix(d.bias, 1, 4 * out)[0]);
}

/// Its taps are counted from the newest frame.
template <int in, int out, int taps, int dilation>
void fill(Conv1DT<float, in, out, taps, dilation>& layer, const LayerDescription& d) {
  std::vector<std::vector<std::vector<float>>> weight(
      out, std::vector<std::vector<float>>(in, std::vector<float>(taps)));
  for (int t = 0; t < taps; ++t) {
    for (int k = 0; k < in; ++k) {
      for (int j = 0; j < out; ++j) weight[j][k][taps - 1 - t] = d.weight[(t * in + k) * out + j];
    }
  }
  layer.setWeights(weight);
  layer.setBias(matrix(d.bias, 1, out)[0]);
}

template <int in, int out>
bool is(const DenseT<float, in, out>&, const LayerDescription& d) {
  return d.kind == LayerKind::dense && d.inputs == in && d.outputs == out;
}
template <int in, int out>
bool is(const GRULayerT<float, in, out>&, const LayerDescription& d) {
  return d.kind == LayerKind::gru && d.inputs == in && d.outputs == out;
}
template <int in, int out>
bool is(const LSTMLayerT<float, in, out>&, const LayerDescription& d) {
  return d.kind == LayerKind::lstm && d.inputs == in && d.outputs == out;
}
template <int in, int out, int taps, int dilation>
bool is(const Conv1DT<float, in, out, taps, dilation>&, const LayerDescription& d) {
  return d.kind == LayerKind::causal_convolution && d.inputs == in && d.outputs == out &&
         d.taps == taps && d.dilation == dilation;
}

template <int size>
using Tanh = TanhActivationT<float, size>;
template <int size>
using Relu = ReLuActivationT<float, size>;

/// The model if it is the network: the layers that have numbers are those at `at`, an activation
/// behind each but the last.
template <class Model, int... at>
Peer* model(const NetworkDescription& d) {
  if (d.depth != sizeof...(at)) return nullptr;
  auto peer = std::make_unique<RtneuralPeer<Model>>();
  const LayerDescription* layer = d.layers;
  if (!(is(peer->model_.template get<at>(), *layer++) && ...)) return nullptr;
  layer = d.layers;
  (fill(peer->model_.template get<at>(), *layer++), ...);
  return peer.release();
}

template <int in, int a, int out, template <int> class F>
using Shallow = ModelT<float, in, out, DenseT<float, in, a>, F<a>, DenseT<float, a, out>>;
template <int in, int a, int b, int out, template <int> class F>
using Deep = ModelT<float, in, out, DenseT<float, in, a>, F<a>, DenseT<float, a, b>, F<b>,
                    DenseT<float, b, out>>;
template <template <class, int, int> class Layer>
using Recurrent = ModelT<float, 8, 1, Layer<float, 8, 64>, DenseT<float, 64, 1>>;
template <template <int> class F>
using Causal = ModelT<float, 8, 1, Conv1DT<float, 8, 16, 3, 1>, F<16>, Conv1DT<float, 16, 16, 3, 2>,
                      F<16>, Conv1DT<float, 16, 16, 3, 4>, F<16>, Conv1DT<float, 16, 16, 3, 8>,
                      F<16>, DenseT<float, 16, 1>>;

template <class T, int in, int out>
using Gru = GRULayerT<T, in, out>;
template <class T, int in, int out>
using Lstm = LSTMLayerT<T, in, out>;

template <template <int> class F>
Peer* make(const NetworkDescription& d) {
  if (Peer* peer = model<Deep<8, 64, 64, 4, F>, 0, 2, 4>(d)) return peer;
  if (Peer* peer = model<Deep<376, 256, 256, 17, F>, 0, 2, 4>(d)) return peer;
  if (Peer* peer = model<Shallow<784, 128, 10, F>, 0, 2>(d)) return peer;
  return model<Causal<F>, 0, 2, 4, 6, 8>(d);
}

}  // namespace

PEER_EXPORT Peer* PEER_FACTORY(const NetworkDescription& d) {
  if (Peer* peer = model<Recurrent<Gru>, 0, 1>(d)) return peer;
  if (Peer* peer = model<Recurrent<Lstm>, 0, 1>(d)) return peer;
  return d.layers[0].activation == ActivationKind::relu ? make<Relu>(d) : make<Tanh>(d);
}

// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layer.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "chainrule/config.hpp"
#include "chainrule/convolution_layers.hpp"
#include "chainrule/error.hpp"
#include "chainrule/lambda.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/merge_layers.hpp"
#include "chainrule/names.hpp"
#include "chainrule/pooling_layers.hpp"
#include "chainrule/recurrent_layers.hpp"
#include "chainrule/shape_layers.hpp"

namespace chainrule {
namespace {

using Factory = AnyLayer (*)(const Config&);

struct KnownLayer {
  std::string_view kind;
  Factory make;
};

template <class T>
AnyLayer make(const Config& config) {
  return T::from_config(config);
}

constexpr auto kLayers = std::to_array<KnownLayer>({
    {"dense", make<Dense>},
    {"activation", make<ActivationLayer>},
    {"prelu", make<PReLU>},
    {"dropout", make<Dropout>},
    {"batch_normalization", make<BatchNormalization>},
    {"layer_normalization", make<LayerNormalization>},
    {"rescaling", make<Rescaling>},
    {"normalization", make<Normalization>},
    {"category_encoding", make<CategoryEncoding>},
    {"embedding", make<Embedding>},
    {"add", make<Add>},
    {"subtract", make<Subtract>},
    {"multiply", make<Multiply>},
    {"average", make<Average>},
    {"maximum", make<Maximum>},
    {"concatenate", make<Concatenate>},
    {"dot", make<Dot>},
    {"reshape", make<Reshape>},
    {"flatten", make<Flatten>},
    {"permute", make<Permute>},
    {"take", make<Take>},
    {"repeat_vector", make<RepeatVector>},
    {"position", make<Position>},
    {"global_average_pooling", make<GlobalAveragePooling>},
    {"max_pooling", make<MaxPooling>},
    {"average_pooling", make<AveragePooling>},
    {"global_max_pooling", make<GlobalMaxPooling>},
    {"up_sampling", make<UpSampling>},
    {"zero_padding", make<ZeroPadding>},
    {"cropping", make<Cropping>},
    {"clip", make<Clip>},
    {"gaussian_noise", make<GaussianNoise>},
    {"conv1d", make<Conv1D>},
    {"conv1d_transpose", make<Conv1DTranspose>},
    {"conv2d", make<Conv2D>},
    {"conv2d_transpose", make<Conv2DTranspose>},
    {"depthwise_conv1d", make<DepthwiseConv1D>},
    {"depthwise_conv2d", make<DepthwiseConv2D>},
    {"scale", make<Scale>},
    {"parametric_activation", make<ParametricActivation>},
    {"periodic_embedding", make<PeriodicEmbedding>},
    {"piecewise_linear_embedding", make<PiecewiseLinearEmbedding>},
    {"simple_rnn", make<SimpleRNN>},
    {"gru", make<GRU>},
    {"lstm", make<LSTM>},
});

}  // namespace

AnyLayer Layer::from_config(const Config& config) {
  // No kind of its own: its config stands for functions that there are already.
  if (config.kind == "lambda") return Lambda::from_config(config);
  const auto* const found = std::find_if(
      kLayers.begin(), kLayers.end(), [&](const KnownLayer& l) { return l.kind == config.kind; });
  if (found == kLayers.end()) throw Error(unknown_name("layer", config.kind, kinds()));
  return found->make(config);
}

std::vector<std::string> Layer::kinds() {
  std::vector<std::string> result;
  result.reserve(kLayers.size());
  for (const KnownLayer& layer : kLayers) result.emplace_back(layer.kind);
  return result;
}

}  // namespace chainrule

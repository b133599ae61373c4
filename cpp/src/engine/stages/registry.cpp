// SPDX-License-Identifier: Apache-2.0
// The table of stages by the kind of layer that they come from.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "chainrule/error.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

template <class T>
struct Entry {
  std::string_view kind;
  StageFactory<T> add;
};

template <class T>
constexpr auto kFactories = std::to_array<Entry<T>>({
    {"activation", add_activation<T>},
    {"add", add_merge<T>},
    {"average", add_merge<T>},
    {"average_pooling", add_pooling<T>},
    {"batch_normalization", add_batch_normalization<T>},
    {"category_encoding", add_category_encoding<T>},
    {"clip", add_clip<T>},
    {"concatenate", add_concatenate<T>},
    {"conv1d", add_convolution<T>},
    {"conv1d_transpose", add_convolution<T>},
    {"conv2d", add_convolution<T>},
    {"conv2d_transpose", add_convolution<T>},
    {"cropping", add_cropping<T>},
    {"dense", add_dense<T>},
    {"depthwise_conv1d", add_depthwise_convolution<T>},
    {"depthwise_conv2d", add_depthwise_convolution<T>},
    {"dot", add_dot<T>},
    {"dropout", add_dropout<T>},
    {"embedding", add_embedding<T>},
    {"flatten", add_reshape<T>},
    {"gaussian_noise", add_gaussian_noise<T>},
    {"global_average_pooling", add_global_average_pooling<T>},
    {"global_max_pooling", add_global_max_pooling<T>},
    {"gru", add_gru<T>},
    {"lambda", add_lambda<T>},
    {"layer_normalization", add_layer_normalization<T>},
    {"lstm", add_lstm<T>},
    {"max_pooling", add_pooling<T>},
    {"maximum", add_merge<T>},
    {"multiply", add_merge<T>},
    {"normalization", add_normalization<T>},
    {"permute", add_permute<T>},
    {"position", add_position<T>},
    {"prelu", add_prelu<T>},
    {"parametric_activation", add_parametric_activation<T>},
    {"periodic_embedding", add_periodic_embedding<T>},
    {"piecewise_linear_embedding", add_piecewise_linear_embedding<T>},
    {"repeat_vector", add_repeat_vector<T>},
    {"rescaling", add_rescaling<T>},
    {"reshape", add_reshape<T>},
    {"scale", add_scale<T>},
    {"simple_rnn", add_simple_rnn<T>},
    {"subtract", add_merge<T>},
    {"take", add_take<T>},
    {"up_sampling", add_up_sampling<T>},
    {"zero_padding", add_zero_padding<T>},
});

}  // namespace

// All stages of a layer carry its index, by which errors and descriptions name it.
template <class T>
void add_stages(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const auto found = std::find_if(kFactories<T>.begin(), kFactories<T>.end(),
                                  [&](const Entry<T>& e) { return e.kind == layer.kind(); });
  if (found == kFactories<T>.end())
    throw Error("no stage is made for layers of kind '" + std::string(layer.kind()) + "'");
  const std::size_t first = stages.size();
  found->add(layer, context, stages);
  for (std::size_t i = first; i < stages.size(); ++i) stages[i]->layer = context.layer;
}

CHAINRULE_INSTANTIATE_FACTORY(add_stages)

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
// From descriptions to stages: one factory per kind of layer, listed in registry.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "chainrule/activation.hpp"
#include "chainrule/layer.hpp"
#include "engine/function_calls.hpp"
#include "engine/member_count.hpp"
#include "engine/stages/stage.hpp"

namespace chainrule {
class RecurrentLayer;
}

namespace chainrule::engine {

template <class T>
using Stages = std::vector<std::unique_ptr<Stage<T>>>;

template <class T>
struct Cell;
template <class T>
struct StageContext;

/// What makes the stages of training where predictions have others, so that a linker leaves the
/// former out of a program which only predicts.
template <class T>
struct TrainingStages {
  std::unique_ptr<Stage<T>> (*recurrent)(const RecurrentLayer& layer,
                                         const StageContext<T>& context, const Cell<T>& cell);
};
template <class T>
const TrainingStages<T>& training_stages();

/// What a factory needs to know besides the description.
template <class T>
struct StageContext {
  const kernels::KernelTable<T>& kernels;
  Parameters<T>& parameters;
  std::int64_t layer;                 // index of the description
  std::int64_t owner;                 // the layer whose parameters it uses
  RandomPlace random;                 // of what it draws in each step
  std::vector<Shape> shapes;          // of its inputs
  std::int64_t inputs;                // columns of the first
  bool frozen;                        // its parameters are not trained
  std::int64_t rows;                  // most rows of a step, a position of a batch row each
  int threads;                        // most threads of a team
  bool backward;                      // false: inference only, no memory for gradients
  const TrainingStages<T>* training;  // of a plan with a backward pass
  FunctionCalls& calls;               // of the plan
};

/// Appends the stages of one layer.
template <class T>
using StageFactory = void (*)(const Layer& layer, const StageContext<T>& context,
                              Stages<T>& stages);

/// Finds the factory of the layer's kind; throws Error for a kind without one.
template <class T>
void add_stages(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);

// The factories, each at the end of its stage's file. Each appends what its layer does, first stage
// first, and nothing where the layer changes no number: a Permute that keeps the order, a Reshape
// that keeps the length of rows, a Cropping of nothing, Dropout and noise in a prediction.
template <class T>
void add_convolution(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_depthwise_convolution(const Layer& layer, const StageContext<T>& context,
                               Stages<T>& stages);
template <class T>
void add_dense(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_activation(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_dropout(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_batch_normalization(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_category_encoding(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_embedding(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_layer_normalization(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_parametric_activation(const Layer& layer, const StageContext<T>& context,
                               Stages<T>& stages);
template <class T>
void add_periodic_embedding(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_piecewise_linear_embedding(const Layer& layer, const StageContext<T>& context,
                                    Stages<T>& stages);
template <class T>
void add_prelu(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_rescaling(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_normalization(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_merge(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_concatenate(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_dot(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_reshape(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_permute(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_take(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_repeat_vector(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_position(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_global_average_pooling(const Layer& layer, const StageContext<T>& context,
                                Stages<T>& stages);
template <class T>
void add_pooling(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_global_max_pooling(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_up_sampling(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_zero_padding(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_cropping(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_clip(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_gaussian_noise(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_lambda(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_scale(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_simple_rnn(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_gru(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);
template <class T>
void add_lstm(const Layer& layer, const StageContext<T>& context, Stages<T>& stages);

/// The activation stage itself, for layers that end in one; none for linear.
template <class T>
void append_activation(const Activation& activation, const StageContext<T>& context,
                       std::int64_t columns, Stages<T>& stages);

/// At the end of a stage's file: its factory for both precisions, as in engine/instantiate.hpp.
#ifdef CHAINRULE_DUAL_NUMBERS
#define CHAINRULE_INSTANTIATE_FACTORY(add)
#else
#define CHAINRULE_INSTANTIATE_FACTORY(add)                                     \
  template void add(const Layer&, const StageContext<float>&, Stages<float>&); \
  template void add(const Layer&, const StageContext<double>&, Stages<double>&);
#endif

}  // namespace chainrule::engine

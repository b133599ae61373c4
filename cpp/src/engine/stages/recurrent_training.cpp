// SPDX-License-Identifier: Apache-2.0
#include "engine/stages/recurrent_training.hpp"

namespace chainrule::engine {
namespace {

template <class T>
std::unique_ptr<Stage<T>> recurrent_training(const RecurrentLayer& layer,
                                             const StageContext<T>& context, const Cell<T>& cell) {
  return std::make_unique<RecurrentTrainingStage<T>>(layer, context, cell);
}

}  // namespace

template <class T>
const TrainingStages<T>& training_stages() {
  static constexpr TrainingStages<T> stages{recurrent_training<T>};
  return stages;
}

template const TrainingStages<float>& training_stages();
template const TrainingStages<double>& training_stages();

}  // namespace chainrule::engine

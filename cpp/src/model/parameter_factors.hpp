// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "chainrule/layer.hpp"
#include "model/fields.hpp"

namespace chainrule::model {

inline constexpr const char* kLearningRateFactor = "learning_rate_factor";
inline constexpr const char* kWeightDecayFactor = "weight_decay_factor";

/// The options that all layers with trained arrays have.
template <class Visit, class Self>
void visit_factors(Visit& visit, Self& layer) {
  visit(kLearningRateFactor, layer.learning_rate_factor, non_negative);
  visit(kWeightDecayFactor, layer.weight_decay_factor, non_negative);
}

/// The arrays with the layer's factors; throws Error where one names none of them.
std::vector<ParameterSpec> with_factors(std::vector<ParameterSpec> specs,
                                        const TrainedLayer& layer);

}  // namespace chainrule::model

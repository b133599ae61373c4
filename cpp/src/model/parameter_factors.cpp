// SPDX-License-Identifier: Apache-2.0
#include "model/parameter_factors.hpp"

#include <algorithm>
#include <string>

#include "chainrule/names.hpp"
#include "model/fields.hpp"

namespace chainrule {

double ParameterFactors::of(std::string_view array) const {
  for (const Named& factor : named_)
    if (factor.first == array) return factor.second;
  return all_;
}

namespace model {
namespace {

/// Throws Error for a name that is none of a trained array.
void check_names(std::string_view kind, const char* option, const ParameterFactors& factors,
                 const std::vector<ParameterSpec>& specs) {
  std::vector<std::string> trained;
  for (const ParameterSpec& spec : specs)
    if (spec.trainable) trained.push_back(spec.name);
  for (const auto& [name, factor] : factors.named())
    if (std::find(trained.begin(), trained.end(), name) == trained.end())
      refuse(kind, std::string(option) + ": " + unknown_name("parameter", name, trained));
}

}  // namespace

std::vector<ParameterSpec> with_factors(std::vector<ParameterSpec> specs,
                                        const TrainedLayer& layer) {
  check_names(layer.kind(), kLearningRateFactor, layer.learning_rate_factor, specs);
  check_names(layer.kind(), kWeightDecayFactor, layer.weight_decay_factor, specs);
  for (ParameterSpec& spec : specs) {
    spec.learning_rate_factor = layer.learning_rate_factor.of(spec.name);
    spec.weight_decay_factor = layer.weight_decay_factor.of(spec.name);
  }
  return specs;
}

}  // namespace model
}  // namespace chainrule

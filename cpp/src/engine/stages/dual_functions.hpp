// SPDX-License-Identifier: Apache-2.0
// Functions of the caller's and truncated gradients give no second derivatives: a plan of dual
// numbers with such refuses.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "chainrule/error.hpp"
#include "chainrule/lambda.hpp"
#include "engine/stages/custom_loss.hpp"
#include "engine/stages/recurrent_training.hpp"
#include "engine/stages/stages.hpp"
#include "kernels/dual.hpp"

namespace chainrule::engine {

/// The constructor refuses, so the other members are never called.
template <>
class CustomLossRows<kernels::Dual> {
 public:
  using Dual = kernels::Dual;

  CustomLossRows(const CustomLoss& function, const Shape&, std::int64_t) {
    throw Error("loss '" + function.name() + "' is a function, which gives no second derivatives");
  }
  void prepare(const TargetsView&) {}
  void run(FunctionCalls&, const kernels::KernelTable<Dual>&, std::int64_t, const TargetsView&,
           RowOrder, const Tensor<Dual>&, bool) {}
  const Dual* losses() const { return nullptr; }
  const Dual* gradients() const { return nullptr; }
};

template <>
inline void add_lambda<kernels::Dual>(const Layer& layer, const StageContext<kernels::Dual>&,
                                      Stages<kernels::Dual>&) {
  throw Error("lambda '" + dynamic_cast<const Lambda&>(layer).name() +
              "' is functions, which give no second derivatives");
}

/// What is truncated is the derivative of no function, so it has no second derivatives.
inline std::unique_ptr<Stage<kernels::Dual>> dual_recurrence(
    const RecurrentLayer& layer, const StageContext<kernels::Dual>& context,
    const Cell<kernels::Dual>& cell) {
  if (layer.truncate_gradient != 0)
    throw Error(std::string(layer.kind()) +
                ": a gradient with truncate_gradient = " + std::to_string(layer.truncate_gradient) +
                " is that of no function, which gives no second derivatives");
  return std::make_unique<RecurrentTrainingStage<kernels::Dual>>(layer, context, cell);
}

template <>
inline const TrainingStages<kernels::Dual>& training_stages() {
  static constexpr TrainingStages<kernels::Dual> stages{dual_recurrence};
  return stages;
}

}  // namespace chainrule::engine

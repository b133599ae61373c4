// SPDX-License-Identifier: Apache-2.0
// Functions of the caller's give no second derivatives, and recurrent layers none yet: a plan of
// dual numbers with such refuses.
#pragma once

#include <cstdint>
#include <string>

#include "chainrule/error.hpp"
#include "chainrule/lambda.hpp"
#include "engine/stages/custom_loss.hpp"
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

template <>
inline const TrainingStages<kernels::Dual>& training_stages() {
  static constexpr TrainingStages<kernels::Dual> none{};
  return none;
}

#define CHAINRULE_REFUSE(add, name)                                                \
  template <>                                                                      \
  inline void add<kernels::Dual>(const Layer&, const StageContext<kernels::Dual>&, \
                                 Stages<kernels::Dual>&) {                         \
    throw Error(std::string(name) + " gives no second derivatives yet");           \
  }
CHAINRULE_REFUSE(add_simple_rnn, "simple_rnn")
CHAINRULE_REFUSE(add_gru, "gru")
CHAINRULE_REFUSE(add_lstm, "lstm")
#undef CHAINRULE_REFUSE

}  // namespace chainrule::engine

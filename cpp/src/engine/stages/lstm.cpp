// SPDX-License-Identifier: Apache-2.0
#include "engine/stages/recurrence.hpp"

namespace chainrule::engine {
namespace {

struct LstmCell {
  static constexpr std::int64_t kGates = 4;
  static constexpr Sums kSums = Sums::none;
  static constexpr bool kHasCell = true;

  template <class T>
  void step(const kernels::KernelTable<T>& kernels, const kernels::RecurrentStepArgs<T>& f) const {
    kernels.lstm_step(f);
  }
  template <class T>
  void step_backward(const kernels::KernelTable<T>& kernels,
                     const kernels::RecurrentBackwardArgs<T>& f) const {
    kernels.lstm_step_backward(f);
  }
};

}  // namespace

template <class T>
void add_lstm(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  stages.push_back(std::make_unique<RecurrentStage<T, LstmCell>>(dynamic_cast<const LSTM&>(layer),
                                                                 context, LstmCell{}));
}

CHAINRULE_INSTANTIATE_FACTORY(add_lstm)

}  // namespace chainrule::engine

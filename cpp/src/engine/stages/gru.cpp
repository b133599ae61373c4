// SPDX-License-Identifier: Apache-2.0
#include "engine/stages/recurrence.hpp"

namespace chainrule::engine {
namespace {

struct GruCell {
  static constexpr std::int64_t kGates = 3;
  static constexpr Sums kSums = Sums::beside;
  static constexpr bool kHasCell = false;

  template <class T>
  void step(const kernels::KernelTable<T>& kernels, const kernels::RecurrentStepArgs<T>& f) const {
    kernels.gru_step(f);
  }
  template <class T>
  void step_backward(const kernels::KernelTable<T>& kernels,
                     const kernels::RecurrentBackwardArgs<T>& f) const {
    kernels.gru_step_backward(f);
  }
};

}  // namespace

template <class T>
void add_gru(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  stages.push_back(std::make_unique<RecurrentStage<T, GruCell>>(dynamic_cast<const GRU&>(layer),
                                                                context, GruCell{}));
}

CHAINRULE_INSTANTIATE_FACTORY(add_gru)

}  // namespace chainrule::engine

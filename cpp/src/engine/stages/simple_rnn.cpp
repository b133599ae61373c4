// SPDX-License-Identifier: Apache-2.0
#include "engine/stages/activation.hpp"
#include "engine/stages/recurrence.hpp"

namespace chainrule::engine {
namespace {

/// The activation is a pass of its own over the sums of a step, so that it may be any.
template <class T>
struct SimpleRnnCell {
  static constexpr std::int64_t kGates = 1;
  static constexpr Sums kSums = Sums::before;
  static constexpr bool kHasCell = false;

  kernels::ActivationFunction<T> function;

  void step(const kernels::KernelTable<T>& kernels, const kernels::RecurrentStepArgs<T>& f) const {
    kernels.activation_forward(of(f.rows, f.units, f.gates.stride), f.sums.data, f.gates.data);
    kernels.simple_rnn_step(f);
  }
  void step_backward(const kernels::KernelTable<T>& kernels,
                     const kernels::RecurrentBackwardArgs<T>& f) const {
    kernels.simple_rnn_step_backward(f);
    kernels.activation_backward(of(f.rows, f.units, f.gates.stride), f.sums.data, f.gates.data,
                                f.dgates.data, f.dgates.data);
  }

 private:
  kernels::ActivationArgs<T> of(std::int64_t rows, std::int64_t units, std::int64_t stride) const {
    return {function, rows, units, stride};
  }
};

}  // namespace

template <class T>
void add_simple_rnn(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const auto& rnn = dynamic_cast<const SimpleRNN&>(layer);
  stages.push_back(std::make_unique<RecurrentStage<T, SimpleRnnCell<T>>>(
      rnn, context, SimpleRnnCell<T>{kernel_function<T>(rnn.activation)}));
}

CHAINRULE_INSTANTIATE_FACTORY(add_simple_rnn)

}  // namespace chainrule::engine

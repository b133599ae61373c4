// SPDX-License-Identifier: Apache-2.0
#include "engine/stages/recurrence.hpp"

#include "engine/stages/activation.hpp"

namespace chainrule::engine {
namespace {

template <class T>
void add_recurrence(const Layer& layer, const StageContext<T>& context, const Cell<T>& cell,
                    Stages<T>& stages) {
  const auto& options = dynamic_cast<const RecurrentLayer&>(layer);
  stages.push_back(context.backward ? context.training->recurrent(options, context, cell)
                                    : std::make_unique<RecurrentStage<T>>(options, context, cell));
}

}  // namespace

// The activation is a pass of its own over the sums of a step, so that it may be any.
template <class T>
void add_simple_rnn(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const auto& rnn = dynamic_cast<const SimpleRNN&>(layer);
  const kernels::KernelTable<T>& k = context.kernels;
  add_recurrence<T>(layer, context,
                    {1, Sums::before, false, k.simple_rnn_step, k.simple_rnn_step_backward,
                     kernel_function<T>(rnn.activation)},
                    stages);
}

template <class T>
void add_gru(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const kernels::KernelTable<T>& k = context.kernels;
  add_recurrence<T>(layer, context, {3, Sums::beside, false, k.gru_step, k.gru_step_backward},
                    stages);
}

template <class T>
void add_lstm(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const kernels::KernelTable<T>& k = context.kernels;
  add_recurrence<T>(layer, context, {4, Sums::none, true, k.lstm_step, k.lstm_step_backward},
                    stages);
}

CHAINRULE_INSTANTIATE_FACTORY(add_simple_rnn)
CHAINRULE_INSTANTIATE_FACTORY(add_gru)
CHAINRULE_INSTANTIATE_FACTORY(add_lstm)

}  // namespace chainrule::engine

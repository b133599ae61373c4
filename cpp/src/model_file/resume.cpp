// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "chainrule/error.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/trainer.hpp"

namespace chainrule {
namespace {

/// Throws unless the schedule watches what a Trainer knows.
void check_watched(const TrainingState& training) {
  const bool known = training.monitor == "val_loss" || training.monitor == "loss";
  if (known && training.mode == "min") return;
  throw Error("the schedule reduce_on_plateau watches the " + training.mode + " of " +
              training.monitor + "; a trainer watches the min of the loss");
}

}  // namespace

template <class T>
Trainer<T> resume_training(Network<T>& network, const TrainingState& training) {
  if (!training.loss) throw Error("the model names no loss to train for");
  return resume_training(network, training, *training.loss);
}

template <class T>
Trainer<T> resume_training(Network<T>& network, const TrainingState& training,
                           const Losses& losses) {
  if (!training.optimizer) throw Error("the model names no optimizer to train by");
  if (training.plateau) check_watched(training);
  Trainer<T> trainer(network, losses, *training.optimizer, training.schedule);
  trainer.set_schedule_origin(training.schedule_origin);
  if (training.plateau) {
    trainer.set_monitor(training.monitor);
    trainer.set_plateau(*training.plateau);
  }
  return trainer;
}

template <class T>
TrainingState training_state(const Trainer<T>& trainer, TrainingState previous) {
  previous.loss.reset();
  if (trainer.losses().size() == 1) previous.loss = trainer.losses()[0];
  previous.optimizer = trainer.optimizer();
  previous.schedule = trainer.schedule();
  previous.plateau = trainer.plateau();
  if (previous.plateau) {
    previous.monitor = trainer.monitor();
    previous.mode = trainer.monitor_rises() ? "max" : "min";
  }
  previous.schedule_origin = trainer.schedule_origin();
  return previous;
}

template Trainer<float> resume_training(Network<float>&, const TrainingState&);
template Trainer<double> resume_training(Network<double>&, const TrainingState&);
template Trainer<float> resume_training(Network<float>&, const TrainingState&, const Losses&);
template Trainer<double> resume_training(Network<double>&, const TrainingState&, const Losses&);
template TrainingState training_state(const Trainer<float>&, TrainingState);
template TrainingState training_state(const Trainer<double>&, TrainingState);

}  // namespace chainrule

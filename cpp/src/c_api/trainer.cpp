// SPDX-License-Identifier: Apache-2.0
#include "c_api/trainer.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "c_api/fit.hpp"
#include "c_api/options.hpp"
#include "c_api/status.hpp"
#include "c_api/views.hpp"
#include "chainrule/config.hpp"

namespace chainrule::c_api {
namespace {

/// The training to go on with: the record's, but for what the options say.
TrainingState chosen(TrainingState training, const chainrule_trainer_options& options) {
  if (options.optimizer != nullptr) {
    training.optimizer = Optimizer::from_config(config_from_json(options.optimizer));
    training.schedule.reset();
    training.plateau.reset();
  }
  if (!training.optimizer)
    throw Error("options.optimizer is NULL, and the network is from no file with one");
  return training;
}

template <class T>
Trainer<T> make_trainer(Network<T>& network, const TrainingState& record,
                        const chainrule_trainer_options& options) {
  const std::size_t outputs = network.graph().outputs().size();
  const std::vector<Loss> losses = chosen_losses(record, options.loss, outputs);
  const TrainingState training = chosen(record, options);
  const std::vector<double> weights = weights_of(options.loss_weights, losses.size());
  if (options.schedule == nullptr) return resume_training(network, training, {losses, weights});
  return {network,
          {losses, weights},
          *training.optimizer,
          Schedule::from_config(config_from_json(options.schedule))};
}

/// A trainer's descriptions as JSON.
template <class T>
Texts texts_of(const Trainer<T>& trainer) {
  Texts texts;
  texts.losses = text_of(trainer.losses());
  texts.optimizer = to_json(trainer.optimizer().config());
  texts.schedule = text_of(trainer.schedule());
  return texts;
}

}  // namespace
}  // namespace chainrule::c_api

using namespace chainrule;
using namespace chainrule::c_api;

chainrule_status chainrule_trainer_create(chainrule_network* network,
                                          const chainrule_trainer_options* options,
                                          chainrule_trainer** trainer) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    require_non_null(trainer, "the result's pointer");
    const chainrule_trainer_options o = read_options(options);
    with_network(object, [&](auto& n) {
      auto made = make_trainer(n, *object.training, o);
      Texts texts = texts_of(made);
      return_handle(std::make_unique<TrainerObject>(object, std::move(made), std::move(texts)),
                    trainer);
    });
  });
}

chainrule_status chainrule_trainer_destroy(chainrule_trainer* trainer) {
  return translate_exceptions([&] {
    if (trainer != nullptr &&
        object_of<TrainerObject>(trainer).calls.load(std::memory_order_acquire) > 0)
      throw StateError("the trainer is in use by another thread or callback");
    destroy_handle(trainer, Kind::trainer);
  });
}

chainrule_status chainrule_trainer_fit(chainrule_trainer* trainer, const chainrule_rows* x,
                                       const chainrule_targets* y,
                                       const chainrule_fit_options* options,
                                       chainrule_epoch_report* last) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    auto& object = *call;
    const Graph& graph = graph_of(object);
    const chainrule_fit_options given = read_options(options);
    const std::vector<RowsView> rows =
        split(graph, given.read != nullptr ? unread_view(x, "x") : rows_view(x, "x"));
    const std::vector<TargetsView> targets = targets_views(y, graph.outputs().size(), "y");
    if (last != nullptr) check_structure(last, "last");
    const chainrule_epoch_report report = std::visit(
        [&](auto& t) { return report_of(fit(t, rows, targets, given)); }, object.trainer);
    if (last != nullptr) write_structure(report, last);
  });
}

chainrule_status chainrule_trainer_step(chainrule_trainer* trainer, const chainrule_rows* x,
                                        const chainrule_targets* y, double* loss) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    auto& object = *call;
    const Graph& graph = graph_of(object);
    const std::vector<RowsView> rows = split(graph, rows_view(x, "x"));
    const std::vector<TargetsView> targets = targets_views(y, graph.outputs().size(), "y");
    const double value = std::visit([&](auto& t) { return t.step(rows, targets); }, object.trainer);
    if (loss != nullptr) *loss = value;
  });
}

chainrule_status chainrule_trainer_evaluate(chainrule_trainer* trainer, const chainrule_rows* x,
                                            const chainrule_targets* y, int64_t num_threads,
                                            double* loss) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    auto& object = *call;
    const Graph& graph = graph_of(object);
    const std::vector<RowsView> rows = split(graph, rows_view(x, "x"));
    const std::vector<TargetsView> targets = targets_views(y, graph.outputs().size(), "y");
    require_non_null(loss, "loss");
    const int threads = thread_count(num_threads);
    *loss = std::visit([&](auto& t) { return t.evaluate(rows, targets, threads); }, object.trainer);
  });
}

chainrule_status chainrule_trainer_save(const chainrule_trainer* trainer, const char* path) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    const auto& object = *call;
    const std::string to(text(path, "path"));
    std::visit(
        [&](const auto& t) { save_model(to, t.network(), training_state(t, *object.from_file)); },
        object.trainer);
  });
}

// SPDX-License-Identifier: Apache-2.0
#include "chainrule/trainer.hpp"

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "c_api/fit.hpp"
#include "c_api/network.hpp"
#include "c_api/options.hpp"
#include "c_api/status.hpp"
#include "c_api/views.hpp"
#include "chainrule/config.hpp"

namespace chainrule::c_api {
namespace {

/// What a trainer has been set to, as JSON. Made where it is set, so that asking changes nothing.
struct Texts {
  std::string losses;
  std::string optimizer;
  std::string schedule;  // empty: none
};

std::string text_of(const Losses& losses) {
  if (losses.size() == 1) return to_json(losses[0].config());
  std::vector<Config> configs;
  for (std::size_t i = 0; i < losses.size(); ++i) configs.push_back(losses[i].config());
  return to_json(configs);
}

std::string text_of(const std::optional<Schedule>& schedule) {
  return schedule ? to_json(schedule->config()) : std::string();
}

struct TrainerObject final : Object {
  using Opaque = chainrule_trainer;
  static constexpr Kind kind = Kind::trainer;

  template <class T>
  TrainerObject(const NetworkObject& of, Trainer<T> trainer_, Texts texts_)
      : network(of.network),
        trainer(std::move(trainer_)),
        texts(std::move(texts_)),
        from_file(of.training) {}

  const AnyNetwork network;  // which the trainer refers to
  std::variant<Trainer<float>, Trainer<double>> trainer;
  Texts texts;
  const std::shared_ptr<const TrainingState> from_file;
  std::atomic<int> calls{0};  // under way
};

/// A trainer in a call: meanwhile it cannot be destroyed, by a callback of the call's neither.
class InCall {
 public:
  explicit InCall(const chainrule_trainer* handle)
      : object_(object_of<TrainerObject>(const_cast<chainrule_trainer*>(handle))) {
    object_.calls.fetch_add(1, std::memory_order_relaxed);
  }
  ~InCall() { object_.calls.fetch_sub(1, std::memory_order_release); }
  InCall(const InCall&) = delete;
  InCall& operator=(const InCall&) = delete;

  TrainerObject& operator*() const { return object_; }

 private:
  TrainerObject& object_;
};

const Graph& graph_of(const TrainerObject& object) {
  return std::visit([](const auto& network) -> const Graph& { return network->graph(); },
                    object.network);
}

/// The losses of the outputs that the options say, or the record; none where neither does.
std::vector<Loss> chosen_losses(const TrainingState& training, const char* given,
                                std::size_t outputs) {
  std::vector<Loss> losses;
  if (given == nullptr) {
    if (training.loss) losses.assign(outputs, *training.loss);
    return losses;
  }
  const std::string_view json = given;
  if (const std::size_t first = json.find_first_not_of(" \t\r\n");
      first != std::string_view::npos && json[first] == '[') {
    for (const Config& config : configs_from_json(json))
      losses.push_back(Loss::from_config(config));
    return losses;
  }
  losses.assign(outputs, Loss::from_config(config_from_json(json)));
  return losses;
}

/// A weight for each loss; none where none are given.
std::vector<double> weights_of(const double* given, std::size_t losses) {
  return given == nullptr ? std::vector<double>() : std::vector<double>(given, given + losses);
}

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
  if (losses.empty()) throw Error("options.loss is NULL, and the network is from no file with one");
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

chainrule_status chainrule_trainer_set_optimizer(chainrule_trainer* trainer, const char* optimizer,
                                                 const char* schedule) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    const Optimizer chosen = Optimizer::from_config(config_from_json(text(optimizer, "optimizer")));
    std::optional<Schedule> follows;
    if (schedule != nullptr) follows = Schedule::from_config(config_from_json(schedule));
    std::string optimizer_text = to_json(chosen.config());
    std::string schedule_text = text_of(follows);
    std::visit([&](auto& t) { t.set_optimizer(chosen, follows); }, (*call).trainer);
    (*call).texts.optimizer.swap(optimizer_text);
    (*call).texts.schedule.swap(schedule_text);
  });
}

chainrule_status chainrule_trainer_set_losses(chainrule_trainer* trainer, const char* loss,
                                              const double* loss_weights) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    require_non_null(loss, "loss");
    const std::vector<Loss> each = chosen_losses({}, loss, graph_of(*call).outputs().size());
    const std::vector<double> weights = weights_of(loss_weights, each.size());
    const Losses losses(each, weights);
    std::string its_text = text_of(losses);
    std::visit([&](auto& t) { t.set_losses(losses); }, (*call).trainer);
    (*call).texts.losses.swap(its_text);
  });
}

chainrule_status chainrule_trainer_get_losses(const chainrule_trainer* trainer,
                                              const char** losses) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    require_non_null(losses, "the result's pointer");
    *losses = (*call).texts.losses.c_str();
  });
}

chainrule_status chainrule_trainer_get_optimizer(const chainrule_trainer* trainer,
                                                 const char** optimizer) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    require_non_null(optimizer, "the result's pointer");
    *optimizer = (*call).texts.optimizer.c_str();
  });
}

chainrule_status chainrule_trainer_get_schedule(const chainrule_trainer* trainer,
                                                const char** schedule) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    require_non_null(schedule, "the result's pointer");
    const std::string& its_text = (*call).texts.schedule;
    *schedule = its_text.empty() ? nullptr : its_text.c_str();
  });
}

chainrule_status chainrule_trainer_get_early_stopping(const chainrule_trainer* trainer,
                                                      chainrule_early_stopping_info* info) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    check_structure(info, "info");
    const EarlyStoppingMemory memory =
        std::visit([](const auto& t) { return t.early_stopping(); }, (*call).trainer);
    chainrule_early_stopping_info values{};
    values.best = memory.best;
    values.best_epoch = memory.best_epoch;
    values.waited = memory.waited;
    values.stopped_epoch = memory.stopped_epoch;
    write_structure(values, info);
  });
}

chainrule_status chainrule_trainer_get_plateau(const chainrule_trainer* trainer,
                                               chainrule_plateau* plateau) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    check_structure(plateau, "plateau");
    const std::optional<Plateau> known =
        std::visit([](const auto& t) { return t.plateau(); }, (*call).trainer);
    if (!known) throw Error("the trainer has no reduce_on_plateau schedule");
    chainrule_plateau values{};
    values.rate = known->rate;
    values.best = known->best;
    values.bad_epochs = known->bad_epochs;
    values.cooldown_left = known->cooldown_left;
    write_structure(values, plateau);
  });
}

chainrule_status chainrule_trainer_set_plateau(chainrule_trainer* trainer,
                                               const chainrule_plateau* plateau) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    const chainrule_plateau given = read_structure(plateau, "plateau");
    if (!std::isfinite(given.rate) || given.rate < 0.0)
      throw Error("plateau.rate is " + std::to_string(given.rate) + ", expected 0 or more");
    if (std::isnan(given.best)) throw Error("plateau.best is NaN, expected a number");
    for (const auto& [count, name] : {std::pair(given.bad_epochs, "bad_epochs"),
                                      std::pair(given.cooldown_left, "cooldown_left")})
      if (count < 0)
        throw Error("plateau." + std::string(name) + " is " + std::to_string(count) +
                    ", expected 0 or more");
    Plateau its{Schedule{}};
    its.rate = given.rate;
    its.best = given.best;
    its.bad_epochs = given.bad_epochs;
    its.cooldown_left = given.cooldown_left;
    std::visit([&](auto& t) { t.set_plateau(its); }, (*call).trainer);
  });
}

chainrule_status chainrule_trainer_set_monitor(chainrule_trainer* trainer, const char* monitor,
                                               int64_t rises) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    const std::string name(text(monitor, "monitor"));
    std::visit([&](auto& t) { t.set_monitor(name, rises != 0); }, (*call).trainer);
  });
}

chainrule_status chainrule_trainer_get_monitor(const chainrule_trainer* trainer,
                                               const char** monitor, int64_t* rises) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    require_non_null(monitor, "the result's pointer");
    std::visit(
        [&](const auto& t) {
          *monitor = t.monitor().c_str();
          if (rises != nullptr) *rises = t.monitor_rises() ? 1 : 0;
        },
        (*call).trainer);
  });
}

chainrule_status chainrule_trainer_get_schedule_origin(const chainrule_trainer* trainer,
                                                       int64_t* step) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    require_non_null(step, "the result's pointer");
    *step = std::visit([](const auto& t) { return t.schedule_origin(); }, (*call).trainer);
  });
}

chainrule_status chainrule_trainer_set_schedule_origin(chainrule_trainer* trainer, int64_t step) {
  return translate_exceptions([&] {
    const InCall call(trainer);
    std::visit([&](auto& t) { t.set_schedule_origin(step); }, (*call).trainer);
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
    const std::vector<RowsView> rows = split(graph, rows_view(x, "x"));
    const std::vector<TargetsView> targets = targets_views(y, graph.outputs().size(), "y");
    const chainrule_fit_options given = read_options(options);
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

// SPDX-License-Identifier: Apache-2.0
#include "chainrule/trainer.hpp"

#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "c_api/network.hpp"
#include "c_api/options.hpp"
#include "c_api/status.hpp"
#include "c_api/views.hpp"
#include "chainrule/config.hpp"

namespace chainrule::c_api {
namespace {

struct TrainerObject final : Object {
  using Opaque = chainrule_trainer;
  static constexpr Kind kind = Kind::trainer;

  template <class T>
  TrainerObject(const NetworkObject& of, Trainer<T> trainer_)
      : network(of.network), trainer(std::move(trainer_)), from_file(of.training) {}

  const AnyNetwork network;  // which the trainer refers to
  std::variant<Trainer<float>, Trainer<double>> trainer;
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
  std::vector<double> weights;
  if (options.loss_weights != nullptr)
    weights.assign(options.loss_weights, options.loss_weights + losses.size());
  if (options.schedule == nullptr) return resume_training(network, training, {losses, weights});
  return {network,
          {losses, weights},
          *training.optimizer,
          Schedule::from_config(config_from_json(options.schedule))};
}

chainrule_epoch_report report_of(const EpochReport& from) {
  chainrule_epoch_report report{};
  report.struct_size = sizeof report;
  report.epoch = from.epoch;
  report.loss = from.loss;
  report.validation_loss = from.validation_loss;
  report.learning_rate = from.learning_rate;
  return report;
}

chainrule_epoch_report no_epoch() {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  return report_of({.epoch = 0, .loss = nan, .validation_loss = nan, .learning_rate = nan});
}

/// `losses` is memory for the sums of each output.
chainrule_batch_report report_of(const BatchReport& from, std::vector<chainrule_loss_sum>& losses) {
  chainrule_batch_report report{};
  report.struct_size = sizeof report;
  report.epoch = from.epoch;
  report.batch = from.batch;
  report.loss = from.loss;
  report.loss_sum = from.losses[0].sum;
  report.loss_weight = from.losses[0].weight;
  report.loss_unit = from.losses[0].unit;
  for (std::size_t i = 0; i < losses.size(); ++i)
    losses[i] = {from.losses[i].sum, from.losses[i].weight, from.losses[i].unit};
  report.losses = losses.data();
  return report;
}

/// Where within an epoch the training begins, and what it calls after each batch.
void read_batches(const chainrule_fit_options& given, FitOptions& o, std::size_t outputs) {
  o.first_batch = given.first_batch;
  if (given.losses_before != nullptr) {
    o.losses_before.resize(outputs);
    for (std::size_t i = 0; i < outputs; ++i) {
      const chainrule_loss_sum& before = given.losses_before[i];
      o.losses_before[i] = {before.sum, before.weight, before.unit};
    }
  } else if (given.batch_before != nullptr && outputs == 1) {
    const chainrule_batch_report before = read_structure(given.batch_before, "batch_before");
    o.losses_before.resize(1);
    o.losses_before[0] = {before.loss_sum, before.loss_weight, before.loss_unit};
  } else if (given.first_batch > 0) {
    throw Error(outputs > 1 ? "options.losses_before is NULL, which first_batch needs for " +
                                  std::to_string(outputs) + " outputs"
                            : "options.batch_before is NULL, which first_batch needs");
  }
  if (given.on_batch == nullptr) return;
  const auto losses = std::make_shared<std::vector<chainrule_loss_sum>>(outputs);
  o.on_batch = [given, losses](const BatchReport& report) {
    const chainrule_batch_report seen = report_of(report, *losses);
    return given.on_batch(given.context, &seen) != 0;
  };
}

FitOptions fit_options(const chainrule_fit_options& given, const Graph& graph) {
  FitOptions o;
  if (given.epochs != 0) o.epochs = given.epochs;
  if (given.batch_size != 0) o.batch_size = given.batch_size;
  o.num_threads = thread_count(given.num_threads);
  o.shuffle = given.keep_order == 0;
  o.input_sparsity = c_api::input_sparsity(given.input_sparsity);
  if (given.validation_x != nullptr || given.validation_y != nullptr) {
    o.validation_x = split(graph, rows_view(given.validation_x, "validation_x"));
    o.validation_y = targets_views(given.validation_y, graph.outputs().size(), "validation_y");
  }
  if (given.early_stopping != nullptr)
    o.early_stopping = EarlyStopping::from_config(config_from_json(given.early_stopping));
  read_batches(given, o, graph.outputs().size());
  if (given.on_epoch != nullptr) {
    o.on_epoch = [given](const EpochReport& report) {
      const chainrule_epoch_report seen = report_of(report);
      return given.on_epoch(given.context, &seen) != 0;
    };
  }
  if (given.poll != nullptr) {
    o.poll = [given](std::int64_t batches, double loss) {
      return given.poll(given.context, batches, loss) != 0;
    };
  }
  return o;
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
      return_handle(std::make_unique<TrainerObject>(object, make_trainer(n, *object.training, o)),
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
    std::visit([&](auto& t) { t.set_optimizer(chosen, follows); }, (*call).trainer);
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
    const FitOptions o = fit_options(read_options(options), graph);
    if (last != nullptr) check_structure(last, "last");
    const std::vector<EpochReport> reports =
        std::visit([&](auto& t) { return t.fit(rows, targets, o); }, object.trainer);
    if (last != nullptr)
      write_structure(reports.empty() ? no_epoch() : report_of(reports.back()), last);
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

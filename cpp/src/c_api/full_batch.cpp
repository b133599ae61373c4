// SPDX-License-Identifier: Apache-2.0
#include "chainrule/full_batch.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "c_api/fit.hpp"
#include "c_api/options.hpp"
#include "c_api/status.hpp"
#include "c_api/trainer.hpp"
#include "c_api/views.hpp"
#include "chainrule/config.hpp"

namespace chainrule::c_api {
namespace {

struct FullBatchObject final : Object {
  using Opaque = chainrule_full_batch_trainer;
  static constexpr Kind kind = Kind::full_batch_trainer;

  template <class T>
  FullBatchObject(const NetworkObject& of, std::int64_t rows_, FullBatchTrainer<T> trainer_,
                  const chainrule_full_batch_options& options)
      : network(of.network),
        rows(rows_),
        trainer(std::move(trainer_)),
        poll(options.poll),
        context(options.context) {
    with_network(of, [&](const auto& n) { losses.resize(n.graph().outputs().size()); });
  }

  const AnyNetwork network;  // which the trainer refers to
  const std::int64_t rows;
  std::variant<FullBatchTrainer<float>, FullBatchTrainer<double>> trainer;
  int (*const poll)(void*);
  void* const context;
  std::vector<chainrule_loss_sum> losses;  // of the latest iteration
  std::atomic<bool> used{false};
};

/// The only call of a trainer: throws StateError where another one is under way.
class OnlyCall {
 public:
  explicit OnlyCall(chainrule_full_batch_trainer* handle)
      : object_(object_of<FullBatchObject>(handle)) {
    if (object_.used.exchange(true, std::memory_order_acquire))
      throw StateError("the trainer is in use by another thread or callback");
  }
  ~OnlyCall() { object_.used.store(false, std::memory_order_release); }
  OnlyCall(const OnlyCall&) = delete;
  OnlyCall& operator=(const OnlyCall&) = delete;

  FullBatchObject& operator*() const { return object_; }

 private:
  FullBatchObject& object_;
};

FullBatchOptions full_batch_options(const chainrule_full_batch_options& given) {
  FullBatchOptions o;
  if (given.batch_size != 0) o.batch_size = given.batch_size;
  o.num_threads = thread_count(given.num_threads);
  o.input_sparsity = input_sparsity(given.input_sparsity);
  return o;
}

/// What the latest iteration gave, which `made` says that there was; the sums lie in `losses`.
chainrule_iteration_report report_of(const IterationReport& from, bool made, TrainingEnd end,
                                     std::vector<chainrule_loss_sum>& losses) {
  chainrule_iteration_report report{};
  report.made = made ? 1 : 0;
  report.end = static_cast<chainrule_training_end>(end);
  report.epoch = from.epoch;
  report.iteration = from.iteration;
  report.loss = from.loss;
  report.losses = write_sums(from.losses, losses);
  report.gradient_norm = from.gradient_norm;
  report.step_length = from.step_length;
  report.evaluations = from.evaluations;
  report.damping = from.damping;
  report.effective_parameters = from.effective_parameters;
  report.alpha = from.alpha;
  report.beta = from.beta;
  return report;
}

template <class T>
std::unique_ptr<FullBatchObject> make(const NetworkObject& object, Network<T>& network,
                                      const chainrule_rows* x, const chainrule_targets* y,
                                      const FullBatchOptimizer& optimizer,
                                      const chainrule_full_batch_options& given) {
  const std::size_t outputs = network.graph().outputs().size();
  const RowsView rows = rows_view(x, "x");
  const std::vector<TargetsView> targets = targets_views(y, outputs, "y");
  const std::vector<Loss> losses = chosen_losses(*object.training, given.loss, outputs);
  const std::vector<double> weights = weights_of(given.loss_weights, losses.size());
  FullBatchTrainer<T> trainer(network, split(network.graph(), rows), targets, {losses, weights},
                              optimizer, full_batch_options(given));
  return std::make_unique<FullBatchObject>(object, rows.rows, std::move(trainer), given);
}

template <class T>
chainrule_iteration_report step(FullBatchObject& object, FullBatchTrainer<T>& trainer,
                                void* outputs, std::size_t size) {
  const std::int64_t columns =
      std::visit([](const auto& network) { return network->outputs(); }, object.network);
  T* const to = outputs_memory<T>(outputs, size, object.rows, columns, "outputs");
  typename FullBatchTrainer<T>::Poll poll;
  if (object.poll != nullptr) {
    poll = [&object] {
      if (object.poll(object.context) != 0) throw CallbackError("options.poll ended the iteration");
    };
  }
  const bool made = trainer.step(to, poll);
  return report_of(trainer.report(), made, trainer.end(), object.losses);
}

}  // namespace
}  // namespace chainrule::c_api

using namespace chainrule;
using namespace chainrule::c_api;

chainrule_status chainrule_full_batch_trainer_create(chainrule_network* network,
                                                     const chainrule_rows* x,
                                                     const chainrule_targets* y,
                                                     const chainrule_full_batch_options* options,
                                                     chainrule_full_batch_trainer** trainer) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    require_non_null(trainer, "the result's pointer");
    const chainrule_full_batch_options given = read_options(options);
    const char* const kind = given.optimizer != nullptr ? given.optimizer : "lbfgs";
    const auto optimizer = FullBatchOptimizer::from_config(config_from_json(kind));
    with_network(object,
                 [&](auto& n) { return_handle(make(object, n, x, y, optimizer, given), trainer); });
  });
}

chainrule_status chainrule_full_batch_trainer_destroy(chainrule_full_batch_trainer* trainer) {
  return translate_exceptions([&] {
    if (trainer != nullptr && object_of<FullBatchObject>(trainer).used.load())
      throw StateError("the trainer is in use by another thread or callback");
    destroy_handle(trainer, Kind::full_batch_trainer);
  });
}

chainrule_status chainrule_full_batch_trainer_step(chainrule_full_batch_trainer* trainer,
                                                   void* outputs, size_t size,
                                                   chainrule_iteration_report* report) {
  return translate_exceptions([&] {
    const OnlyCall call(trainer);
    check_structure(report, "report");
    write_structure(
        std::visit([&](auto& t) { return step(*call, t, outputs, size); }, (*call).trainer),
        report);
  });
}

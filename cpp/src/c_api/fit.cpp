// SPDX-License-Identifier: Apache-2.0
#include "c_api/fit.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "c_api/network.hpp"
#include "c_api/options.hpp"
#include "c_api/status.hpp"
#include "c_api/views.hpp"
#include "chainrule/config.hpp"
#include "chainrule/error.hpp"

namespace chainrule::c_api {
namespace {

LossSums sums_of(const chainrule_loss_sum* from, std::size_t outputs) {
  LossSums sums;
  sums.resize(outputs);
  for (std::size_t i = 0; i < outputs; ++i) sums[i] = {from[i].sum, from[i].weight, from[i].unit};
  return sums;
}

/// `losses` is memory for the sums of each output.
chainrule_batch_report batch_report_of(const BatchReport& from,
                                       std::vector<chainrule_loss_sum>& losses) {
  chainrule_batch_report report{};
  report.struct_size = sizeof report;
  report.epoch = from.epoch;
  report.batch = from.batch;
  report.loss = from.loss;
  report.loss_sum = from.losses[0].sum;
  report.loss_weight = from.losses[0].weight;
  report.loss_unit = from.losses[0].unit;
  report.losses = write_sums(from.losses, losses);
  report.mean_loss = from.mean_loss;
  return report;
}

/// Where within an epoch the training begins, and what it calls after each batch.
void read_batches(const chainrule_fit_options& given, FitOptions& o, std::size_t outputs) {
  o.first_batch = given.first_batch;
  if (given.losses_before != nullptr) {
    o.losses_before = sums_of(given.losses_before, outputs);
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
    const chainrule_batch_report seen = batch_report_of(report, *losses);
    return given.on_batch(given.context, &seen) != 0;
  };
}

using EpochEvent = void (*)(void*, const chainrule_epoch_report*, const chainrule_loss_sum*);

Callback<void(const EpochReport&, const LossSums&)> with_losses(EpochEvent event, void* context,
                                                                std::size_t outputs) {
  if (event == nullptr) return {};
  const auto losses = std::make_shared<std::vector<chainrule_loss_sum>>(outputs);
  return [event, context, losses](const EpochReport& report, const LossSums& sums) {
    const chainrule_epoch_report seen = report_of(report);
    event(context, &seen, write_sums(sums, *losses));
  };
}

/// What the training asks and tells around batches and epochs.
void read_events(const chainrule_fit_options& given, FitOptions& o, std::size_t outputs) {
  void* const context = given.context;
  if (given.on_begin != nullptr)
    o.on_begin = [given, context] { return given.on_begin(context) != 0; };
  if (given.on_epoch_begin != nullptr) {
    o.on_epoch_begin = [given, context](std::int64_t epoch) {
      return given.on_epoch_begin(context, epoch) != 0;
    };
  }
  if (given.learning_rates != nullptr) {
    o.learning_rates = [given, context](std::int64_t step, std::int64_t count,
                                        std::int64_t steps_per_epoch, double* rates) {
      return given.learning_rates(context, step, count, steps_per_epoch, rates) != 0;
    };
  }
  o.on_trained = with_losses(given.on_trained, context, outputs);
  o.on_validated = with_losses(given.on_validated, context, outputs);
  if (given.monitored != nullptr) {
    o.monitored = [given, context](const std::string& name) {
      return given.monitored(context, name.c_str());
    };
  }
}

using ReadFunction = const chainrule_rows* (*)(void*, const std::int64_t*, std::int64_t);

/// `name` is what the function is called in errors.
ReadRows reader(ReadFunction read, void* context, const Graph& graph, const char* name) {
  if (read == nullptr) return {};
  return [read, context, &graph, name](const std::int64_t* numbers, std::int64_t count) {
    const chainrule_rows* const rows = read(context, numbers, count);
    if (rows == nullptr)
      throw CallbackError(std::string(name) + " gave NULL for " + std::to_string(count) +
                          " rows, of which row " + std::to_string(numbers[0]) + " is the first");
    return InputRows(split(graph, rows_view(rows, "x")));
  };
}

/// A list of the caller's; empty: all rows.
std::span<const std::int64_t> row_numbers(const std::int64_t* numbers, std::int64_t count,
                                          const std::string& name) {
  if ((numbers == nullptr) != (count == 0) || count < 0)
    throw Error("options." + name + " is " + (numbers == nullptr ? "NULL" : "a list") + " and " +
                name + "_count " + std::to_string(count));
  return {numbers, static_cast<std::size_t>(count)};
}

/// Which rows there are, and how those are read that are not in memory.
void read_rows(const chainrule_fit_options& given, FitOptions& o, const Graph& graph) {
  o.rows = row_numbers(given.row_numbers, given.row_numbers_count, "row_numbers");
  o.validation_rows = row_numbers(given.validation_row_numbers, given.validation_row_numbers_count,
                                  "validation_row_numbers");
  o.read = reader(given.read, given.context, graph, "options.read");
  o.read_validation =
      reader(given.read_validation, given.context, graph, "options.read_validation");
  if (given.validation_x == nullptr && given.validation_y == nullptr) return;
  o.validation_x = split(graph, o.read_validation ? unread_view(given.validation_x, "validation_x")
                                                  : rows_view(given.validation_x, "validation_x"));
  o.validation_y = targets_views(given.validation_y, graph.outputs().size(), "validation_y");
}

FitOptions fit_options(const chainrule_fit_options& given, const Graph& graph) {
  FitOptions o;
  if (given.epochs != 0) o.epochs = given.epochs;
  if (given.batch_size != 0) o.batch_size = given.batch_size;
  o.num_threads = thread_count(given.num_threads);
  o.shuffle = given.keep_order == 0;
  o.input_sparsity = c_api::input_sparsity(given.input_sparsity);
  read_rows(given, o, graph);
  if (given.early_stopping != nullptr)
    o.early_stopping = EarlyStopping::from_config(config_from_json(given.early_stopping));
  if ((given.augment == nullptr) != (given.augment_count == 0) || given.augment_count < 0)
    throw Error(std::string("options.augment is ") + (given.augment ? "a list" : "NULL") +
                " and augment_count " + std::to_string(given.augment_count));
  for (std::int64_t i = 0; i < given.augment_count; ++i) {
    require_non_null(given.augment[i], ("options.augment[" + std::to_string(i) + "]").c_str());
    o.augment.push_back(Augmentation::from_config(config_from_json(given.augment[i])));
  }
  o.data_checked = given.data_checked != 0;
  read_batches(given, o, graph.outputs().size());
  read_events(given, o, graph.outputs().size());
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

/// Leaves a validation that the caller ends.
struct ValidationEnded final : std::exception {
  const char* what() const noexcept override { return "poll_validation ended the validation"; }
};

/// Ends the training where the caller's poll_validation says so: the epoch stays, which is written
/// to `trained` when its batches are done.
void end_by_poll_validation(const chainrule_fit_options& given, FitOptions& o,
                            EpochReport& trained) {
  o.on_trained = [&trained, tell = o.on_trained](const EpochReport& report,
                                                 const LossSums& losses) {
    trained = report;
    if (tell) tell(report, losses);
  };
  o.poll_validation = [given] {
    if (given.poll_validation(given.context) != 0) throw ValidationEnded();
  };
}

/// Whether an epoch stays that an error ends. One between its batches takes it back in any case.
bool keeps(const chainrule_fit_options& given, const std::exception_ptr& error, bool whole) {
  try {
    std::rethrow_exception(error);
  } catch (const ValidationEnded&) {
    return true;
  } catch (...) {
    if (!whole || given.keeps == nullptr) return false;
    return given.keeps(given.context, set_last_error()) != 0;
  }
}

/// Epochs that the caller makes in the place of batches.
template <class T>
void read_iterations(const chainrule_fit_options& given, FitOptions& o, const Trainer<T>& trainer) {
  if (given.iterate == nullptr) return;
  o.iterate = [given, &trainer](EpochResult& result) {
    const Losses losses = trainer.losses();
    std::vector<chainrule_loss_sum> sums(losses.size());
    const int made = given.iterate(given.context, sums.data());
    if (made < 0) throw CallbackError("options.iterate gave " + std::to_string(made));
    if (made == 0) return false;
    result.epoch_losses = sums_of(sums.data(), sums.size());
    result.epoch_loss = result.epoch_losses.mean(losses);
    return true;
  };
}

std::int64_t rows_of(std::span<const std::int64_t> list, std::int64_t all) {
  return list.empty() ? all : static_cast<std::int64_t>(list.size());
}

}  // namespace

const chainrule_loss_sum* write_sums(const LossSums& from, std::vector<chainrule_loss_sum>& to) {
  if (from.empty()) return nullptr;
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = {from[i].sum, from[i].weight, from[i].unit};
  return to.data();
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

template <class T>
EpochReport fit(Trainer<T>& trainer, const std::vector<RowsView>& x,
                const std::vector<TargetsView>& y, const chainrule_fit_options& options) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  EpochReport trained{.epoch = 0, .loss = nan, .validation_loss = nan, .learning_rate = nan};
  const Network<T>& network = trainer.network();
  FitOptions o = fit_options(options, network.graph());
  o.outputs =
      outputs_memory<T>(options.outputs, options.outputs_size, rows_of(o.rows, Inputs(x).rows()),
                        network.outputs(), "options.outputs");
  o.validation_outputs =
      outputs_memory<T>(options.validation_outputs, options.validation_outputs_size,
                        rows_of(o.validation_rows, o.validation_x.rows()), network.outputs(),
                        "options.validation_outputs");
  read_iterations(options, o, trainer);
  o.keeps = [options](const std::exception_ptr& error, bool whole) {
    return keeps(options, error, whole);
  };
  if (options.poll_validation != nullptr) end_by_poll_validation(options, o, trained);
  try {
    const std::vector<EpochReport> reports = trainer.fit(x, y, o);
    return reports.empty() ? trained : reports.back();
  } catch (const ValidationEnded&) {
    return trained;
  }
}

template EpochReport fit(Trainer<float>&, const std::vector<RowsView>&,
                         const std::vector<TargetsView>&, const chainrule_fit_options&);
template EpochReport fit(Trainer<double>&, const std::vector<RowsView>&,
                         const std::vector<TargetsView>&, const chainrule_fit_options&);

}  // namespace chainrule::c_api

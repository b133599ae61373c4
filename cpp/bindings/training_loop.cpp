// SPDX-License-Identifier: Apache-2.0
// fit: the core's loop of training, which asks and tells an object of Python's; many at once.
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "bindings/network.hpp"
#include "chainrule/schedule.hpp"
#include "chainrule/train_many.hpp"
#include "chainrule/trainer.hpp"

namespace chainrule::bindings {
namespace {

/// Rows and columns of each input of rows that are not in memory.
using TableShapes = std::vector<std::pair<std::int64_t, std::int64_t>>;

std::vector<RowsView> views_of(const std::variant<RowsOrList, TableShapes>& x, const char* name) {
  const auto* shapes = std::get_if<TableShapes>(&x);
  if (!shapes) return InputViews(std::get<RowsOrList>(x), name).views();
  std::vector<RowsView> views;
  for (const auto& [rows, columns] : *shapes) {
    RowsView elsewhere;
    elsewhere.rows = rows;
    elsewhere.columns = columns;
    views.push_back(elsewhere);
  }
  return views;
}

/// Rows with what they should give and room for what they do, as Python has them.
template <class T>
struct Data {
  std::variant<RowsOrList, TableShapes> x;
  RowsOrList y;
  std::optional<Weights> sample_weight;
  std::optional<ClassWeights> class_weight;
  std::optional<Values<T>> outputs;
  py::object read;                // None for rows in memory
  std::optional<Labels> numbers;  // of the rows of a list; none: all

  Data(const py::tuple& given, const Network<T>& network)
      : x(given[0].cast<std::variant<RowsOrList, TableShapes>>()),
        y(given[1].cast<RowsOrList>()),
        sample_weight(given[2].cast<std::optional<Weights>>()),
        class_weight(given[3].cast<std::optional<ClassWeights>>()),
        read(given[5]),
        numbers(given[6].cast<std::optional<Labels>>()) {
    if (!given[4].is_none()) {
      if (!py::isinstance<Values<T>>(given[4]))
        throw py::type_error("outputs are no array of these");
      outputs = py::reinterpret_borrow<Values<T>>(given[4]);
    }
    const std::vector<RowsView> views = views_of(x, "x");
    const std::int64_t rows = numbers ? numbers->size() : Inputs(views).rows();
    check_outputs<T>(outputs, rows, network.outputs());
  }

  void* destination() { return outputs ? outputs->mutable_data() : nullptr; }
};

/// What steps are taken by, as Python says it: loss or losses, their weights, the optimizer
/// (None where it takes no steps), its schedule if that is the core's, what a plateau remembers,
/// watches and whether that is to rise, and the step at which the schedule began.
template <class T>
class Steps {
 public:
  explicit Steps(Network<T>& network, const py::tuple& given)
      : trainer_(network, losses_of(given), optimizer_of(given), schedule_of(given)) {
    set(given, true);
  }

  void set(const py::tuple& given, bool losses_too) {
    if (losses_too) trainer_.set_losses(losses_of(given));
    trainer_.set_optimizer(optimizer_of(given), schedule_of(given));
    plateau_ = given[4];
    if (!plateau_.is_none())
      trainer_.set_monitor(given[5].cast<std::string>(), given[6].cast<bool>());
    trainer_.set_schedule_origin(given[7].cast<std::int64_t>());
    read_plateau();
  }

  /// What a plateau remembers is Python's, which may change it.
  void read_plateau() {
    if (!plateau_.is_none()) trainer_.set_plateau(plateau_.cast<const Plateau&>());
  }
  void write_plateau() {
    if (!plateau_.is_none()) plateau_.cast<Plateau&>() = *trainer_.plateau();
  }

  Trainer<T>& trainer() { return trainer_; }

 private:
  static LossList losses_of(const py::tuple& given) {
    return {given[0], given[1].cast<std::optional<std::vector<double>>>()};
  }
  static Optimizer optimizer_of(const py::tuple& given) {
    return given[2].is_none() ? Optimizer() : given[2].cast<Optimizer>();
  }
  static std::optional<Schedule> schedule_of(const py::tuple& given) {
    if (given[3].is_none()) return std::nullopt;
    return given[3].cast<const Schedule&>();
  }

  Trainer<T> trainer_;
  py::object plateau_;
};

/// The options that Python's observer has a method for, each called with the lock.
template <class T>
void observe(FitOptions& o, const py::object& observer, Steps<T>& steps, Poll& poll,
             bool wants_batches) {
  const auto call = [observer, &poll](const char* name, const auto&... arguments) {
    poll.with_lock([&] { call_method(observer, name, arguments...); });
    return false;
  };
  o.on_begin = [call] { return call("begin"); };
  o.on_epoch_begin = [observer, &steps, &poll](std::int64_t epoch) {
    poll.with_lock([&] {
      steps.set(call_method(observer, "begin_epoch", epoch).template cast<py::tuple>(), true);
    });
    return false;
  };
  o.learning_rates = [observer, &poll](std::int64_t step, std::int64_t count,
                                       std::int64_t steps_per_epoch, double* rates) {
    return poll.with_lock([&] {
      const py::object given =
          call_method(observer, "learning_rates", step, count, steps_per_epoch);
      if (given.is_none()) return false;
      const auto array = given.cast<Weights>();
      if (array.size() != count) throw py::value_error("learning_rates needs one for each step");
      std::copy_n(array.data(), count, rates);
      return true;
    });
  };
  if (observer.attr("iterates").cast<bool>()) {
    o.iterate = [observer, &poll](EpochResult& result) {
      return poll.with_lock([&] {
        const py::object given = call_method(observer, "iterate");
        if (given.is_none()) return false;
        const auto made = given.cast<py::tuple>();
        result.epoch_loss = made[0].cast<double>();
        result.epoch_losses = made[1].cast<const LossSums&>();
        return true;
      });
    };
  }
  if (wants_batches) {
    o.on_batch = [observer, &steps, &poll](const BatchReport& report) {
      poll.with_lock([&] {
        const py::object changed = call_method(observer, "end_batch", report.batch, report.loss,
                                               report.mean_loss, report.losses);
        if (!changed.is_none()) steps.set(changed.cast<py::tuple>(), false);
      });
      return false;
    };
  }
  o.on_trained = [call](const EpochReport& report, const LossSums& losses) {
    call("trained", report.loss, losses, report.learning_rate);
  };
  o.on_validated = [observer, &steps, &poll](const EpochReport& report, const LossSums& losses) {
    poll.with_lock([&] {
      const py::object changed = call_method(observer, "validated", report.validation_loss, losses);
      if (!changed.is_none()) steps.set(changed.cast<py::tuple>(), false);
      steps.read_plateau();
    });
  };
  o.monitored = [observer, &poll](const std::string& name) {
    return poll.with_lock(
        [&] { return call_method(observer, "monitored", name).template cast<double>(); });
  };
  o.on_epoch = [observer, &steps, &poll](const EpochReport&) {
    poll.with_lock([&] {
      steps.write_plateau();
      call_method(observer, "end_epoch");
    });
    return false;
  };
  o.keeps = [observer, &poll](const std::exception_ptr& error, bool whole) {
    return poll.with_lock([&] {
      try {
        std::rethrow_exception(error);
      } catch (const py::error_already_set& raised) {
        return call_method(observer, "keeps", raised.value(), whole).template cast<bool>();
      } catch (const std::bad_alloc&) {
        return false;
      } catch (...) {
        return whole;
      }
    });
  };
}

/// Reads rows by their numbers into memory that `rows` holds until others are read.
ReadRows reader(const py::object& read, Poll& poll, py::object& rows) {
  if (read.is_none()) return {};
  return [&poll, &read, &rows](const std::int64_t* numbers, std::int64_t count) {
    return poll.with_lock([&] {
      rows = call_function(read, py::array_t<std::int64_t>(count, numbers));
      return InputRows(InputViews(rows.cast<RowsOrList>(), "x").views());
    });
  };
}

/// The numbers of rows that an array of Python's holds.
std::span<const std::int64_t> numbers_of(const std::optional<Labels>& rows) {
  if (!rows) return {};
  return {rows->data(), static_cast<std::size_t>(rows->size())};
}

/// What a call of fit is given, as the core takes it, for as long as it trains.
template <class T>
class FitCall {
 public:
  FitCall(Network<T>& self, const py::object& observer, const py::tuple& training,
          const std::optional<py::tuple>& validation, std::int64_t epochs, std::int64_t batch_size,
          bool shuffle, int num_threads, const std::string& sparsity, std::int64_t first_batch,
          const LossSums* losses_before, const py::object& progress, bool wants_batches,
          Augmentations augment)
      : data_(training, self),
        x_(views_of(data_.x, "x")),
        y_(TargetViews(data_.y, data_.sample_weight, data_.class_weight).views()),
        poll_(progress),
        steps_(self, call_method(observer, "steps").template cast<py::tuple>()) {
    FitOptions& o = options_;
    o.data_checked = true;
    o.epochs = epochs;
    o.batch_size = batch_size;
    o.shuffle = shuffle;
    o.num_threads = num_threads;
    o.input_sparsity = input_sparsity(sparsity);
    o.first_batch = first_batch;
    if (losses_before) o.losses_before = *losses_before;
    o.augment = std::move(augment);
    o.rows = numbers_of(data_.numbers);
    o.outputs = data_.destination();
    o.read = reader(data_.read, poll_, rows_);
    if (validation) {
      held_.emplace(*validation, self);
      o.validation_x = views_of(held_->x, "x");
      o.validation_y = TargetViews(held_->y, held_->sample_weight, held_->class_weight).views();
      o.validation_rows = numbers_of(held_->numbers);
      o.validation_outputs = held_->destination();
      o.read_validation = reader(held_->read, poll_, validation_rows_);
    }
    observe(o, observer, steps_, poll_, wants_batches);
  }
  FitCall(const FitCall&) = delete;
  FitCall& operator=(const FitCall&) = delete;

  void run() {
    options_.poll = [this](std::int64_t done, double mean) { return poll_(done, mean); };
    options_.poll_validation = [this] { poll_(); };
    poll_.run([this] { return steps_.trainer().fit(x_, y_, options_); });
  }

  /// For train_many, which looks for signals itself; the FitCall must outlive it.
  TrainingJob<T> job() {
    return {.trainer = &steps_.trainer(), .x = x_, .y = y_, .options = std::move(options_)};
  }
  bool interrupted() const { return poll_.interrupted(); }

 private:
  Data<T> data_;
  std::optional<Data<T>> held_;
  const std::vector<RowsView> x_;
  const std::vector<TargetsView> y_;
  Poll poll_;
  py::object rows_, validation_rows_;  // read last
  Steps<T> steps_;
  FitOptions options_;
};

template <class T>
void fit(Network<T>& self, const py::object& observer, const py::tuple& training,
         const std::optional<py::tuple>& validation, std::int64_t epochs, std::int64_t batch_size,
         bool shuffle, int num_threads, const std::string& sparsity, std::int64_t first_batch,
         const LossSums* losses_before, const py::object& progress, bool wants_batches,
         const Augmentations& augment) {
  FitCall<T>(self, observer, training, validation, epochs, batch_size, shuffle, num_threads,
             sparsity, first_batch, losses_before, progress, wants_batches, augment)
      .run();
}

/// What came of one of many trainings.
struct FitOutcome {
  bool finished;
  std::exception_ptr error;

  /// Raises what fit would have raised.
  void check() const {
    if (error) std::rethrow_exception(error);
  }
};

/// Each call is a tuple of the network and the arguments of its fit. Last comes what ended them all
/// before their time, if something did.
template <class T>
std::vector<FitOutcome> train_many(const std::vector<py::tuple>& calls, int num_threads,
                                   const py::object& progress) {
  std::vector<std::unique_ptr<FitCall<T>>> fits;
  std::vector<TrainingJob<T>> jobs;
  for (const py::tuple& c : calls) {
    fits.push_back(std::make_unique<FitCall<T>>(
        c[0].cast<Network<T>&>(), c[1], c[2].cast<py::tuple>(),
        c[3].cast<std::optional<py::tuple>>(), c[4].cast<std::int64_t>(), c[5].cast<std::int64_t>(),
        c[6].cast<bool>(), c[7].cast<int>(), c[8].cast<std::string>(), c[9].cast<std::int64_t>(),
        c[10].is_none() ? nullptr : c[10].cast<const LossSums*>(), c[11], c[12].cast<bool>(),
        c[13].cast<Augmentations>()));
    jobs.push_back(fits.back()->job());
  }
  Poll poll(progress);
  // An interrupt that Python raised in an observer ends all trainings too.
  const auto asks = [&](std::int64_t ended) {
    for (const auto& call : fits)
      if (call->interrupted()) return true;
    return poll(ended, 0.0);
  };
  FitOutcome all{true, nullptr};
  try {
    poll.run([&] { chainrule::train_many<T>(jobs, {.num_threads = num_threads, .poll = asks}); });
  } catch (...) {
    all = {false, std::current_exception()};
  }
  std::vector<FitOutcome> outcomes;
  for (TrainingJob<T>& job : jobs) outcomes.push_back({job.finished, std::move(job.error)});
  outcomes.push_back(std::move(all));
  return outcomes;
}

}  // namespace

template <class T>
void bind_training_loop(py::class_<Network<T>>& network) {
  network
      .def("fit", &fit<T>, py::arg("observer"), py::arg("training"), py::arg("validation"),
           py::arg("epochs"), py::arg("batch_size"), py::arg("shuffle"), py::arg("num_threads"),
           py::arg("input_sparsity"), py::arg("first_batch"), py::arg("losses_before").none(true),
           py::arg("progress"), py::arg("wants_batches"), py::arg("augment"),
           "Run the core's loop of training, which asks and tells `observer`.")
      .def_static("train_many", &train_many<T>, py::arg("calls"), py::arg("num_threads"),
                  py::arg("progress"),
                  "Run many calls of fit at once, each a tuple of a network and its arguments.");
}

template void bind_training_loop<float>(py::class_<Network<float>>&);
template void bind_training_loop<double>(py::class_<Network<double>>&);

void init_training_loop(py::module_& module) {
  py::class_<FitOutcome>(module, "FitOutcome", "What came of one of many trainings.")
      .def_readonly("finished", &FitOutcome::finished)
      .def("check", &FitOutcome::check, "Raise what fit would have raised.");
}

}  // namespace chainrule::bindings

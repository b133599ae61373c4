// SPDX-License-Identifier: Apache-2.0
#include "chainrule/trainer.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>
#include <thread>

#include "chainrule/best_parameters.hpp"
#include "chainrule/error.hpp"
#include "engine/input/target_values.hpp"
#include "engine/threads/occupancy.hpp"

namespace chainrule {
namespace {

constexpr std::int64_t kEvaluateRows = 256;

RowsView rows_from(RowsView x, std::int64_t first, std::int64_t count) {
  x.rows = count;
  if (x.compressed()) {
    x.offsets = static_cast<const char*>(x.offsets) + first * (x.wide_offsets ? 8 : 4);
  } else {
    x.data = static_cast<const char*>(x.data) + first * x.row_stride;
  }
  return x;
}

}  // namespace

template <class T>
struct Trainer<T>::State {
  State(Network<T>* network_, const Losses& losses, const Optimizer& optimizer_,
        const std::optional<Schedule>& schedule_)
      : network(network_), optimizer(optimizer_), schedule(schedule_) {
    network->check_loss(losses);
    for (std::size_t i = 0; i < losses.size(); ++i) {
      each_loss.push_back(losses[i]);
      weights.push_back(losses.weight(i));
    }
    optimizer.check();
    if (!schedule) return;
    schedule->check();
    if (schedule->kind == Schedule::Kind::reduce_on_plateau) plateau.emplace(*schedule);
    origin = network->total_steps();
  }

  Losses losses() const { return {each_loss, weights}; }

  double rate(std::int64_t step, std::int64_t steps_per_epoch) const {
    if (!schedule) return optimizer.learning_rate();
    if (plateau) return plateau->rate;
    return schedule->rate(step - origin, steps_per_epoch);
  }

  void check_stopping(const FitOptions& o) const {
    if (!o.early_stopping) return;
    o.early_stopping->check();
    const std::string& monitor = o.early_stopping->monitor;
    if (monitor != "loss" && monitor != "val_loss")
      throw Error("early_stopping: monitor must be \"loss\" or \"val_loss\", got '" + monitor +
                  "'");
    if (monitor == "val_loss" && o.validation_x.rows() == 0)
      throw Error("early_stopping: monitor is \"val_loss\", which needs validation data");
  }

  void check(const Inputs& x, const Targets& y, const FitOptions& o) const {
    if (o.epochs < 0) throw Error("epochs must be >= 0, got " + std::to_string(o.epochs));
    if (o.batch_size < 1)
      throw Error("batch_size must be >= 1, got " + std::to_string(o.batch_size));
    if (o.read) {
      network->check(x, y, losses());
      visit(x.rows(), o.read, [&](const Inputs& piece) { check_rows(piece, "x"); });
      check_values(y, "y");
    } else {
      check_data(x, y, "x", "y");
    }
    if (o.validation_x.rows() > 0 || o.validation_y.rows() > 0)
      check_data(o.validation_x, o.validation_y, "validation_x", "validation_y");
    network->check_trains(optimizer, o.input_sparsity, std::min(o.batch_size, x.rows()));
    const std::int64_t batch_size = std::min(o.batch_size, x.rows());
    const std::int64_t batches = (x.rows() + batch_size - 1) / batch_size;
    if (o.first_batch < 0 || o.first_batch >= batches)
      throw Error("first_batch must lie in 0.." + std::to_string(batches - 1) + ", got " +
                  std::to_string(o.first_batch));
    check_losses_before(o.losses_before);
    check_stopping(o);
  }

  void check_losses_before(const LossSums& before) const {
    if (before.empty()) return;
    if (before.size() != each_loss.size())
      throw Error("losses_before must have a sum for each of " + std::to_string(each_loss.size()) +
                  " outputs, got " + std::to_string(before.size()));
    for (std::size_t i = 0; i < before.size(); ++i) {
      const LossSum& sum = before[i];
      if (!std::isfinite(sum.sum) || !(sum.weight >= 0.0) || !std::isnormal(sum.unit))
        throw Error("losses_before[" + std::to_string(i) +
                    "] is no sum of losses, which a batch's report has");
    }
  }

  /// All rows that are not in memory, a few at a time, in their order.
  static void visit(std::int64_t rows, const ReadRows& read,
                    const Callback<void(const Inputs&)>& each) {
    std::vector<std::int64_t> numbers(
        static_cast<std::size_t>(std::min(kEvaluateRows, std::max<std::int64_t>(0, rows))));
    for (std::int64_t first = 0; first < rows; first += kEvaluateRows) {
      const std::int64_t count = std::min(kEvaluateRows, rows - first);
      std::iota(numbers.begin(), numbers.end(), first);
      each(read(numbers.data(), count).inputs);
    }
  }

  void check_rows(const Inputs& x, const char* name) const {
    network->check_takes(x);
    for (std::size_t i = 0; i < x.size(); ++i)
      check_finite<T>(x[i], part_name(name, network->graph().inputs(), i).c_str());
  }

  std::int64_t positions(std::size_t output) const {
    const Graph& graph = network->graph();
    return graph.node(graph.outputs()[output]).shape.positions();
  }

  void check_values(const Targets& y, const char* name) const {
    for (std::size_t i = 0; i < y.size(); ++i)
      check_targets<T>(y[i], each_loss[i], part_name(name, network->graph().outputs(), i).c_str(),
                       {}, positions(i));
  }

  /// What errors call the rows of an input, or the targets of an output.
  std::string part_name(const char* name, const std::vector<std::int64_t>& nodes,
                        std::size_t i) const {
    if (nodes.size() == 1) return name;
    return std::string(name) + "[\"" + network->graph().node(nodes[i]).name + "\"]";
  }

  void check_data(const Inputs& x, const Targets& y, const char* x_name, const char* y_name) const {
    network->check(x, y, losses());
    check_rows(x, x_name);
    check_values(y, y_name);
  }

  /// Undoes an epoch whose validation shows the divergence that its own losses did not.
  [[noreturn]] void report_divergence(const Inputs& x, const EpochReport& report) {
    std::int64_t layer = -1;
    for (std::int64_t first = 0; layer < 0 && first < x.rows(); first += kEvaluateRows) {
      std::vector<RowsView> part;
      for (const RowsView& input : x)
        part.push_back(rows_from(input, first, std::min(kEvaluateRows, x.rows() - first)));
      layer = network->first_bad_layer(part);
    }
    if (layer < 0) layer = static_cast<std::int64_t>(network->layers().size()) - 1;
    network->restore_epoch();
    const std::string name =
        std::to_string(layer) + " (" +
        std::string(network->layers()[static_cast<std::size_t>(layer)]->kind()) + ")";
    const double value = report.validation_loss;
    const auto batches = static_cast<std::int64_t>(rates.size());
    throw DivergenceError(
        "training diverged: the validation loss became " +
            std::string(std::isnan(value) ? "NaN" : "infinite") + " in epoch " +
            std::to_string(report.epoch) + ", batch " + std::to_string(batches) +
            ", first seen in layer " + name +
            "; the weights are those of before. Try a smaller learning rate, clip_norm, or inputs "
            "of unit scale",
        report.epoch, batches, name, value);
  }

  EpochReport epoch(const Inputs& x, const Targets& y, const FitOptions& o, EpochOptions& options) {
    const std::int64_t first = network->total_steps() - options.first_batch;
    const std::int64_t before = network->epochs();
    const auto batches = static_cast<std::int64_t>(rates.size());
    for (std::int64_t b = options.first_batch; b < batches; ++b)
      rates[static_cast<std::size_t>(b)] = rate(first + b, batches);
    EpochReport report;
    const EpochResult result = network->run_epoch(x, y, losses(), optimizer, options);
    options.first_batch = 0;
    options.losses_before.reset();
    stopped = result.stopped;
    report.loss = result.epoch_loss;
    report.epoch = network->epochs();
    is_whole = report.epoch > before;
    report.learning_rate = rates.back();
    if (!is_whole) return report;
    if (o.validation_x.rows() > 0) {
      report.validation_loss = validate(o);
      if (!std::isfinite(report.validation_loss)) report_divergence(o.validation_x, report);
    }
    if (plateau) {
      const bool validated = !std::isnan(report.validation_loss);
      plateau->observe(*schedule, validated ? report.validation_loss : report.loss);
    }
    return report;
  }

  std::vector<EpochReport> run_epochs(const Inputs& x, const Targets& y, const FitOptions& o,
                                      EpochOptions& options) {
    std::vector<EpochReport> reports;
    stopped = false;
    for (std::int64_t e = 0; e < o.epochs && !stopped; ++e) {
      // No memory may be wanting when the epoch is done.
      if (reports.size() == reports.capacity()) reports.reserve(2 * reports.size() + 8);
      const EpochReport report = e == 0 ? first_epoch(x, y, o, options) : epoch(x, y, o, options);
      if (!is_whole) break;
      reports.push_back(report);
      if (o.early_stopping) watch(*o.early_stopping, report);
      if (o.on_epoch && o.on_epoch(report)) break;
      if (memory.stopped_epoch == report.epoch) break;
    }
    return reports;
  }

  void watch(const EarlyStopping& rule, const EpochReport& report) {
    const double value = rule.monitor == "loss" ? report.loss : report.validation_loss;
    if (memory.observe(rule, report.epoch, value) && rule.restore_best_weights) best.take(*network);
  }

  /// Adapts Normalization layers; where nothing is trained then, that is taken back.
  EpochReport first_epoch(const Inputs& x, const Targets& y, const FitOptions& o,
                          EpochOptions& options) {
    const std::int64_t before = network->total_steps();
    const bool adapted =
        o.read ? network->adapt_remaining([&](const Callback<void(const Inputs&)>& each) {
          visit(x.rows(), o.read, each);
        })
               : network->adapt_remaining(x);
    try {
      return epoch(x, y, o, options);
    } catch (...) {
      if (adapted && network->total_steps() == before) network->undo_adaptation();
      throw;
    }
  }

  /// Without a report there is no epoch: what evaluation throws takes the epoch back.
  double validate(const FitOptions& o) {
    try {
      return network->evaluate(o.validation_x, o.validation_y, losses(), kEvaluateRows,
                               o.num_threads, nullptr, o.input_sparsity);
    } catch (...) {
      network->restore_epoch();
      throw;
    }
  }

  Network<T>* const network;
  std::vector<Loss> each_loss;  // of each output
  std::vector<double> weights;
  const Optimizer optimizer;
  const std::optional<Schedule> schedule;
  std::optional<Plateau> plateau;
  std::int64_t origin = 0;
  std::vector<double> rates;  // of the steps of an epoch
  bool stopped = false;       // by poll or on_batch
  bool is_whole = false;      // the last epoch
  BestParameters<T> best;
  EarlyStoppingMemory memory;
  engine::Occupancy occupancy{"the trainer is in use by another thread or callback"};
  std::atomic<std::thread::id> user{};  // the thread that changes it

  void recover() { user.store(std::thread::id(), std::memory_order_relaxed); }
};

namespace {

enum class Access { change, read };

/// Holds a trainer for one call. Callbacks may read what their own thread changes.
template <class State>
class Using {
 public:
  explicit Using(State& state, Access access = Access::change) {
    const std::thread::id me = std::this_thread::get_id();
    if (access == Access::read && state.user.load(std::memory_order_relaxed) == me) return;
    held_.emplace(state);
    state.user.store(me, std::memory_order_relaxed);
    user_ = &state.user;
  }
  ~Using() {
    if (user_) user_->store(std::thread::id(), std::memory_order_relaxed);
  }
  Using(const Using&) = delete;
  Using& operator=(const Using&) = delete;

 private:
  std::optional<engine::Changing<State>> held_;
  std::atomic<std::thread::id>* user_ = nullptr;
};

}  // namespace

template <class T>
Trainer<T>::Trainer(Network<T>& network, const Losses& losses, const Optimizer& optimizer,
                    const std::optional<Schedule>& schedule)
    : state_(new State(&network, losses, optimizer, schedule)) {}

template <class T>
Trainer<T>::Trainer(Trainer&&) noexcept = default;
template <class T>
Trainer<T>& Trainer<T>::operator=(Trainer&&) noexcept = default;
template <class T>
Trainer<T>::~Trainer() = default;

template <class T>
Network<T>& Trainer<T>::network() const {
  return *state_->network;
}

template <class T>
Losses Trainer<T>::losses() const {
  return state_->losses();
}

template <class T>
const Optimizer& Trainer<T>::optimizer() const {
  return state_->optimizer;
}

template <class T>
std::vector<EpochReport> Trainer<T>::fit(const Inputs& x, const Targets& y,
                                         const FitOptions& options) {
  State& s = *state_;
  const Using guard(s);
  const engine::Occupancy::CallingBack within(s.occupancy);
  s.check(x, y, options);
  const std::int64_t batch_size = std::min(options.batch_size, x.rows());
  s.rates.resize(static_cast<std::size_t>((x.rows() + batch_size - 1) / batch_size));
  EpochOptions o;
  o.batch_size = batch_size;
  o.num_threads = options.num_threads;
  o.shuffle = options.shuffle;
  o.input_sparsity = options.input_sparsity;
  o.learning_rates = s.rates.data();
  o.poll = options.poll;
  o.read = options.read;
  if (options.on_batch) {
    // A part of an epoch that no caller asked to end there would be in no report.
    o.on_batch = [&](const BatchReport& report) {
      try {
        return options.on_batch(report);
      } catch (...) {
        s.network->restore_epoch();
        throw;
      }
    };
  }
  o.first_batch = options.first_batch;
  o.losses_before = options.losses_before;
  if (options.early_stopping) {
    s.memory = {};
    if (options.early_stopping->restore_best_weights) s.best.make_room(*s.network);
  }
  try {
    std::vector<EpochReport> reports = s.run_epochs(x, y, options, o);
    s.best.put_back(*s.network);
    return reports;
  } catch (...) {
    s.best.put_back(*s.network);
    throw;
  }
}

template <class T>
EarlyStoppingMemory Trainer<T>::early_stopping() const {
  const Using guard(*state_, Access::read);
  return state_->memory;
}

template <class T>
double Trainer<T>::step(const Inputs& x, const Targets& y) {
  State& s = *state_;
  const Using guard(s);
  const double rate = s.rate(s.network->total_steps(), 1);
  for (std::size_t i = 0; i < y.size() && i < s.each_loss.size(); ++i)
    engine::check_target_values(y[i], s.each_loss[i], "y", {}, s.positions(i));
  EpochOptions o;
  o.batch_size = std::max<std::int64_t>(1, x.rows());
  o.shuffle = false;
  o.whole_epoch = false;
  o.learning_rates = &rate;
  try {
    return s.network->run_epoch(x, y, s.losses(), s.optimizer, o).loss;
  } catch (const DivergenceError&) {
    // Looking for the cause only now spares every other step a pass over its rows.
    for (const RowsView& input : x) check_finite<T>(input, "x");
    for (const TargetsView& output : y) check_finite<T>(output, "y");
    throw;
  }
}

template <class T>
double Trainer<T>::evaluate(const Inputs& x, const Targets& y, int num_threads) {
  const Using guard(*state_);
  state_->check_data(x, y, "x", "y");
  return state_->network->evaluate(x, y, state_->losses(), kEvaluateRows, num_threads, nullptr);
}

template <class T>
const std::optional<Schedule>& Trainer<T>::schedule() const {
  return state_->schedule;
}

template <class T>
std::optional<Plateau> Trainer<T>::plateau() const {
  const Using guard(*state_, Access::read);
  return state_->plateau;
}

template <class T>
void Trainer<T>::set_plateau(const Plateau& plateau) {
  const Using guard(*state_);
  if (!state_->plateau) throw Error("the trainer has no reduce_on_plateau schedule");
  state_->plateau = plateau;
}

template <class T>
std::int64_t Trainer<T>::schedule_origin() const {
  const Using guard(*state_, Access::read);
  return state_->origin;
}

template <class T>
void Trainer<T>::set_schedule_origin(std::int64_t step) {
  const Using guard(*state_);
  if (step < 0 || step > state_->network->total_steps())
    throw Error("the schedule's origin must lie in 0.." +
                std::to_string(state_->network->total_steps()) + ", got " + std::to_string(step));
  state_->origin = step;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace chainrule

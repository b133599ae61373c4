// SPDX-License-Identifier: Apache-2.0
// What a Trainer holds, shared by the files that implement its members.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "chainrule/best_parameters.hpp"
#include "chainrule/error.hpp"
#include "chainrule/trainer.hpp"
#include "engine/threads/occupancy.hpp"

namespace chainrule {
namespace engine {

/// Some rows that follow each other.
inline RowsView rows_from(RowsView x, std::int64_t first, std::int64_t count) {
  x.rows = count;
  if (x.compressed()) {
    x.offsets = static_cast<const char*>(x.offsets) + first * (x.wide_offsets ? 8 : 4);
  } else {
    x.data = static_cast<const char*>(x.data) + first * x.row_stride;
  }
  return x;
}

}  // namespace engine

template <class T>
struct Trainer<T>::State {
  static constexpr std::int64_t kEvaluateRows = 256;

  State(Network<T>* network_, const Losses& losses, const Optimizer& optimizer_,
        const std::optional<Schedule>& schedule_)
      : network(network_) {
    set_losses(losses);
    set_optimizer(optimizer_, schedule_);
  }

  Losses losses() const { return {each_loss, weights}; }
  void set_losses(const Losses& losses);
  void set_optimizer(const Optimizer& given, const std::optional<Schedule>& given_schedule);
  /// Where a plateau has seen nothing yet, the best value is the worst one.
  void begin_plateau();
  /// The learning rate of a step, counted from the first that the network made.
  double rate(std::int64_t step, std::int64_t steps_per_epoch) const {
    if (!schedule) return optimizer.learning_rate();
    if (plateau) return plateau->rate;
    return schedule->rate(step - origin, steps_per_epoch);
  }

  /// Throws Error for what fit cannot run with; nothing has changed then.
  void check(const Inputs& x, const Targets& y, const FitOptions& o) const;
  /// What check() is made of: shapes and losses with every number; the rows; the targets.
  void check_data(const Inputs& x, const Targets& y, const char* x_name, const char* y_name) const;
  void check_rows(const Inputs& x, const char* name) const;
  void check_values(const Targets& y, const char* name) const;
  void check_losses_before(const LossSums& before) const;
  void check_monitor(const std::string& name, const FitOptions& o, const char* whose) const;
  std::int64_t positions(std::size_t output) const {
    const Graph& graph = network->graph();
    return graph.node(graph.outputs()[output]).shape.positions();
  }
  /// What errors call the rows of an input, or the targets of an output.
  std::string part_name(const char* name, const std::vector<std::int64_t>& nodes,
                        std::size_t i) const;
  /// All rows, in memory or read, a few at a time and in their order, with the first one's number.
  static void visit(const Inputs& x, const ReadRows& read,
                    const Callback<void(const Inputs&, std::int64_t first)>& each);

  class Loop;  // one call of fit

  Network<T>* const network;
  std::vector<Loss> each_loss;  // of each output
  std::vector<double> weights;
  Optimizer optimizer;
  std::optional<Schedule> schedule;
  std::optional<Plateau> plateau;
  std::string monitor = "val_loss";  // which the plateau watches
  bool rises = false;
  std::int64_t origin = 0;    // the step at which the schedules began
  bool within_epoch = false;  // of fit
  bool was_set = false;       // another optimizer or schedule, which the loop has not seen
  BestParameters<T> best;
  EarlyStoppingMemory memory;
  engine::Occupancy occupancy{"the trainer is in use by another thread or callback"};
  std::atomic<std::thread::id> user{};  // the thread that changes it

  void recover() { user.store(std::thread::id(), std::memory_order_relaxed); }
};

}  // namespace chainrule

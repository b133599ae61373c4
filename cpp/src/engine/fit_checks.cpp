// SPDX-License-Identifier: Apache-2.0
// What Trainer::fit looks at before anything changes.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "chainrule/error.hpp"
#include "engine/input/read_rows.hpp"
#include "engine/input/row_order.hpp"
#include "engine/instantiate.hpp"
#include "engine/trainer_state.hpp"

namespace chainrule {
// The losses are always known, "val_loss" with validation data alone; other names are the caller's.
template <class T>
void Trainer<T>::State::check_monitor(const std::string& name, const FitOptions& o,
                                      const char* whose) const {
  if (name == "val_loss" && o.validation_x.rows() == 0)
    throw Error(std::string(whose) + ": monitor is \"val_loss\", which needs validation data");
  if (name == "val_loss" || name == "loss" || o.monitored) return;
  throw Error(std::string(whose) + ": monitor must be \"loss\" or \"val_loss\", got '" + name +
              "'");
}

// Options, then data, then what both together allow. Rows that are read come by once for this.
template <class T>
void Trainer<T>::State::check(const Inputs& x, const Targets& y, const FitOptions& o) const {
  if (o.epochs < 0) throw Error("epochs must be >= 0, got " + std::to_string(o.epochs));
  if (o.batch_size < 1) throw Error("batch_size must be >= 1, got " + std::to_string(o.batch_size));
  if (!o.data_checked) {
    if (o.read) {
      network->check(x, y, losses());
      visit(x, o.read, [&](const Inputs& piece, std::int64_t) { check_rows(piece, "x"); });
      check_values(y, "y");
    } else {
      check_data(x, y, "x", "y");
    }
    if (o.read_validation) {
      network->check(o.validation_x, o.validation_y, losses());
      visit(o.validation_x, o.read_validation,
            [&](const Inputs& piece, std::int64_t) { check_rows(piece, "validation_x"); });
      check_values(o.validation_y, "validation_y");
    } else if (o.validation_x.rows() > 0 || o.validation_y.rows() > 0) {
      check_data(o.validation_x, o.validation_y, "validation_x", "validation_y");
    }
  }
  network->check_augment(x, o.augment);
  if (o.iterate && !o.augment.empty())
    throw Error("augment needs batches, and an optimizer that takes a step for each of them");
  if (o.read && !o.rows.empty()) throw Error("rows need an x that is in memory");
  if (o.read_validation && !o.validation_rows.empty())
    throw Error("validation_rows need a validation_x that is in memory");
  engine::check_row_numbers(o.rows, x.rows(), "rows");
  engine::check_row_numbers(o.validation_rows, o.validation_x.rows(), "validation_rows");
  const std::int64_t rows = engine::RowList(o.rows, x.rows()).count;
  const std::int64_t batch_size = std::min(o.batch_size, rows);
  if (!o.iterate) network->check_trains(optimizer, o.input_sparsity, batch_size);
  const std::int64_t batches = (rows + batch_size - 1) / batch_size;
  // Behind all batches there is an epoch that needs no more of them, if they were trained on.
  const bool may_be_over = !o.losses_before.empty() && network->epochs() > 0;
  const std::int64_t last = may_be_over ? batches : batches - 1;
  if (o.first_batch < 0 || o.first_batch > last)
    throw Error("first_batch must lie in 0.." + std::to_string(last) + ", got " +
                std::to_string(o.first_batch));
  check_losses_before(o.losses_before);
  if (o.early_stopping) {
    o.early_stopping->check();
    check_monitor(o.early_stopping->monitor, o, "early_stopping");
  }
  if (plateau && monitor != "val_loss") check_monitor(monitor, o, "reduce_on_plateau");
}

// before: the losses of an epoch that goes on, a sum for each output, with a unit that can be
// divided by
template <class T>
void Trainer<T>::State::check_losses_before(const LossSums& before) const {
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

// x: rows x inputs, in pieces of kEvaluateRows rows, in their order; of rows in memory as views
template <class T>
void Trainer<T>::State::visit(const Inputs& x, const ReadRows& read,
                              const Callback<void(const Inputs&, std::int64_t)>& each) {
  const std::int64_t rows = std::max<std::int64_t>(0, x.rows());
  std::vector<std::int64_t> numbers(
      static_cast<std::size_t>(read ? std::min(kEvaluateRows, rows) : 0));
  for (std::int64_t first = 0; first < rows; first += kEvaluateRows) {
    const std::int64_t count = std::min(kEvaluateRows, rows - first);
    if (read) {
      std::iota(numbers.begin(), numbers.end(), first);
      each(engine::read_rows(read, numbers.data(), count, x).inputs, first);
      continue;
    }
    std::vector<RowsView> part;
    for (const RowsView& input : x) part.push_back(engine::rows_from(input, first, count));
    each(part, first);
  }
}

// x: rows x inputs; NaN is refused but in columns that a Normalization fills.
template <class T>
void Trainer<T>::State::check_rows(const Inputs& x, const char* name) const {
  network->check_takes(x);
  for (std::size_t i = 0; i < x.size(); ++i)
    check_finite<T>(x[i], part_name(name, network->graph().inputs(), i).c_str(), {},
                    network->missing_columns(i));
}

template <class T>
void Trainer<T>::State::check_values(const Targets& y, const char* name) const {
  for (std::size_t i = 0; i < y.size(); ++i)
    check_targets<T>(y[i], each_loss[i], part_name(name, network->graph().outputs(), i).c_str(), {},
                     positions(i));
}

template <class T>
std::string Trainer<T>::State::part_name(const char* name, const std::vector<std::int64_t>& nodes,
                                         std::size_t i) const {
  if (nodes.size() == 1) return name;
  return std::string(name) + "[\"" + network->graph().node(nodes[i]).name + "\"]";
}

template <class T>
void Trainer<T>::State::check_data(const Inputs& x, const Targets& y, const char* x_name,
                                   const char* y_name) const {
  network->check(x, y, losses());
  check_rows(x, x_name);
  check_values(y, y_name);
}

#define CHAINRULE_MEMBERS(T)                                                                      \
  template void Trainer<T>::State::check(const Inputs&, const Targets&, const FitOptions&) const; \
  template void Trainer<T>::State::check_data(const Inputs&, const Targets&, const char*,         \
                                              const char*) const;                                 \
  template void Trainer<T>::State::visit(const Inputs&, const ReadRows&,                          \
                                         const Callback<void(const Inputs&, std::int64_t)>&);
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

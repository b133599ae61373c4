// SPDX-License-Identifier: Apache-2.0
// fit: an epoch, and what is asked before and after one.
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "bindings/network.hpp"
#include "chainrule/network.hpp"

namespace chainrule::bindings {
namespace {

/// Rows and columns of what is not in memory.
using TableShape = std::pair<std::int64_t, std::int64_t>;

template <class T>
EpochResult run_epoch(Network<T>& self, const std::variant<RowsOrList, std::vector<TableShape>>& x,
                      const RowsOrList& y, const py::object& loss, const Optimizer& optimizer,
                      std::int64_t batch_size, bool shuffle, int num_threads,
                      const std::string& sparsity, const std::optional<Weights>& learning_rates,
                      const std::optional<Weights>& sample_weight,
                      const std::optional<ClassWeights>& class_weight, std::int64_t first_batch,
                      std::int64_t batches, bool whole_epoch, std::optional<Values<T>> outputs,
                      const py::object& poll,
                      const std::optional<std::vector<double>>& loss_weights,
                      const py::object& read, const py::object& on_batch,
                      const LossSums* losses_before) {
  std::vector<RowsView> views;
  if (const auto* shapes = std::get_if<std::vector<TableShape>>(&x)) {
    for (const auto& [rows_elsewhere, columns] : *shapes) {
      RowsView elsewhere;
      elsewhere.rows = rows_elsewhere;
      elsewhere.columns = columns;
      views.push_back(elsewhere);
    }
  } else {
    views = InputViews(std::get<RowsOrList>(x), "x").views();
  }
  const Inputs rows(views);
  const TargetViews targets(y, sample_weight, class_weight);
  const LossList losses(loss, loss_weights);
  check_outputs<T>(outputs, rows.rows(), self.outputs());
  EpochOptions options;
  options.batch_size = batch_size;
  options.num_threads = num_threads;
  options.input_sparsity = input_sparsity(sparsity);
  options.shuffle = shuffle;
  options.first_batch = first_batch;
  options.batches = batches;
  options.whole_epoch = whole_epoch;
  if (losses_before) options.losses_before = *losses_before;
  if (learning_rates) {
    const std::int64_t needed = batch_size < 1 ? 0 : (rows.rows() + batch_size - 1) / batch_size;
    if (learning_rates->size() < needed)
      throw py::value_error("learning_rates needs one rate for each batch");
    options.learning_rates = learning_rates->data();
  }
  options.outputs = outputs ? outputs->mutable_data() : nullptr;
  Poll between_batches(poll);
  options.poll = [&](std::int64_t done, double mean) { return between_batches(done, mean); };
  py::object rows_read;  // whose memory the core uses until it reads others
  if (!read.is_none()) {
    options.read = [&](const std::int64_t* numbers, std::int64_t count) {
      return between_batches.with_lock([&] {
        rows_read = read(py::array_t<std::int64_t>(count, numbers));
        return InputRows(InputViews(rows_read.cast<RowsOrList>(), "x").views());
      });
    };
  }
  if (!on_batch.is_none()) {
    options.on_batch = [&](const BatchReport& report) {
      return between_batches.with_lock([&] {
        return on_batch(report.batch, report.loss, report.mean_loss, report.losses)
            .template cast<bool>();
      });
    };
  }
  return between_batches.run(
      [&] { return self.run_epoch(rows, targets, losses, optimizer, options); });
}

}  // namespace

template <class T>
void bind_training(py::class_<Network<T>>& network) {
  using N = Network<T>;
  constexpr py::call_guard<ReleasedGil> without_gil;
  network
      .def("run_epoch", &run_epoch<T>, py::arg("x"), py::arg("y"), py::arg("loss"),
           py::arg("optimizer"), py::arg("batch_size"), py::arg("shuffle") = true,
           py::arg("num_threads") = 0, py::arg("input_sparsity") = "auto",
           py::arg("learning_rates") = py::none(), py::arg("sample_weight") = py::none(),
           py::arg("class_weight") = py::none(), py::arg("first_batch") = 0,
           py::arg("batches") = -1, py::arg("whole_epoch") = true,
           py::arg("outputs").noconvert() = py::none(), py::arg("poll") = py::none(),
           py::arg("loss_weights") = py::none(), py::arg("read") = py::none(),
           py::arg("on_batch") = py::none(), py::arg("losses_before") = nullptr)
      .def("restore_epoch", &N::restore_epoch, without_gil)
      .def(
          "first_bad_layer",
          [](const N& self, const RowsOrList& x) {
            const InputViews rows(x, "x");
            const ReleasedGil release;
            return self.first_bad_layer(rows);
          },
          py::arg("x"))
      .def(
          "check_loss",
          [](const N& self, const py::object& loss,
             const std::optional<std::vector<double>>& loss_weights) {
            self.check_loss(LossList(loss, loss_weights));
          },
          py::arg("loss"), py::arg("loss_weights") = py::none())
      .def(
          "check_trains",
          [](const N& self, const Optimizer& optimizer, const std::string& sparsity,
             std::int64_t batch_rows) {
            self.check_trains(optimizer, input_sparsity(sparsity), batch_rows);
          },
          py::arg("optimizer"), py::arg("input_sparsity"), py::arg("batch_rows"));
}

template void bind_training<float>(py::class_<Network<float>>&);
template void bind_training<double>(py::class_<Network<double>>&);

void init_training(py::module_& module) {
  py::class_<EpochResult>(module, "EpochResult")
      .def_readonly("loss", &EpochResult::loss)
      .def_readonly("epoch_loss", &EpochResult::epoch_loss)
      .def_readonly("losses", &EpochResult::losses)
      .def_readonly("epoch_losses", &EpochResult::epoch_losses)
      .def_readonly("batches", &EpochResult::batches)
      .def_readonly("stopped", &EpochResult::stopped);
}

}  // namespace chainrule::bindings

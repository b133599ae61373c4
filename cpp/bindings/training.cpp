// SPDX-License-Identifier: Apache-2.0
// Batches by themselves, and what is asked before training.
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/gil.hpp"
#include "bindings/network.hpp"
#include "chainrule/network.hpp"

namespace chainrule::bindings {
namespace {

/// A table as it is; pybind11's own conversion makes empty arrays first, which each step would pay.
RowsOrList rows_of(const py::object& given) {
  if (py::isinstance<py::array>(given)) return py::reinterpret_borrow<py::array>(given);
  return given.cast<RowsOrList>();
}

template <class T>
EpochResult run_epoch(Network<T>& self, const py::object& x, const py::object& y,
                      const py::object& loss, const Optimizer& optimizer, std::int64_t batch_size,
                      bool shuffle, int num_threads, const std::string& sparsity,
                      const std::optional<Weights>& learning_rates,
                      const std::optional<Weights>& sample_weight,
                      const std::optional<ClassWeights>& class_weight, std::int64_t first_batch,
                      std::int64_t batches, bool whole_epoch,
                      const std::optional<std::vector<double>>& loss_weights,
                      std::int64_t schedule_origin) {
  const RowsOrList x_rows = rows_of(x);
  const RowsOrList y_rows = rows_of(y);
  const InputViews rows(x_rows, "x");
  const TargetViews targets(y_rows, sample_weight, class_weight);
  const LossList losses(loss, loss_weights);
  EpochOptions options;
  options.batch_size = batch_size;
  options.num_threads = num_threads;
  options.input_sparsity = input_sparsity(sparsity);
  options.shuffle = shuffle;
  options.first_batch = first_batch;
  options.batches = batches;
  options.whole_epoch = whole_epoch;
  options.schedule_origin = schedule_origin;
  if (learning_rates) {
    const std::int64_t needed = batch_size < 1 ? 0 : (rows.rows() + batch_size - 1) / batch_size;
    if (learning_rates->size() < needed)
      throw py::value_error("learning_rates needs one rate for each batch");
    options.learning_rates = learning_rates->data();
  }
  Poll between_batches;
  options.poll = [&](std::int64_t done, double mean) { return between_batches(done, mean); };
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
           py::arg("loss_weights") = py::none(), py::arg("schedule_origin") = 0)
      .def("restore_epoch", &N::restore_epoch, without_gil)
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
          py::arg("optimizer"), py::arg("input_sparsity"), py::arg("batch_rows"))
      .def(
          "check_augment",
          [](const N& self, const std::optional<RowsOrList>& x, const Augmentations& augment) {
            if (!x) return self.check_augment(Inputs(), augment);
            const InputViews rows(*x, "x");
            self.check_augment(rows, augment);
          },
          py::arg("x"), py::arg("augment"));
}

template void bind_training<float>(py::class_<Network<float>>&);
template void bind_training<double>(py::class_<Network<double>>&);

void init_training(py::module_& module) {
  py::class_<EpochResult>(module, "EpochResult")
      .def_readonly("loss", &EpochResult::loss)
      .def_readonly("losses", &EpochResult::losses);
}

}  // namespace chainrule::bindings

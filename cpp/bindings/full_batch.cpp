// SPDX-License-Identifier: Apache-2.0
// Training on all rows at once: an iteration a call.
#include "chainrule/full_batch.hpp"

#include <pybind11/stl.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/config.hpp"
#include "bindings/gil.hpp"
#include "bindings/network.hpp"
#include "chainrule/network.hpp"

namespace chainrule::bindings {
namespace {

/// A trainer with the arrays that it reads.
template <class T>
class FullBatchTraining {
 public:
  FullBatchTraining(Network<T>& network, RowsOrList x, RowsOrList y, const py::object& loss,
                    const FullBatchOptimizer& optimizer, std::int64_t batch_size, int num_threads,
                    const std::string& sparsity, std::optional<Weights> sample_weight,
                    std::optional<ClassWeights> class_weight,
                    const std::optional<std::vector<double>>& loss_weights)
      : x_(std::move(x)),
        y_(std::move(y)),
        sample_weight_(std::move(sample_weight)),
        class_weight_(std::move(class_weight)),
        rows_(x_, "x"),
        columns_(network.outputs()),
        trainer_(make(network, LossList(loss, loss_weights), optimizer,
                      {batch_size, num_threads, input_sparsity(sparsity)})) {}

  std::optional<IterationReport> step(std::optional<Values<T>> outputs) {
    check_outputs<T>(outputs, rows_.rows(), columns_);
    T* to = outputs ? outputs->mutable_data() : nullptr;
    Poll poll;
    if (!poll.run([&] { return trainer_.step(to, std::ref(poll)); })) return std::nullopt;
    return trainer_.report();
  }
  std::string end() const { return describe(trainer_.end()); }

 private:
  FullBatchTrainer<T> make(Network<T>& network, const LossList& losses,
                           const FullBatchOptimizer& optimizer, const FullBatchOptions& options) {
    const TargetViews targets(y_, sample_weight_, class_weight_);
    const ReleasedGil release;
    return FullBatchTrainer<T>(network, rows_, targets, losses, optimizer, options);
  }

  const RowsOrList x_, y_;
  const std::optional<Weights> sample_weight_;
  const std::optional<ClassWeights> class_weight_;
  const InputViews rows_;
  const std::int64_t columns_;
  FullBatchTrainer<T> trainer_;
};

template <class T>
void bind_full_batch(py::module_& module, const char* name) {
  using Training = FullBatchTraining<T>;
  py::class_<Training>(module, name)
      .def(py::init<Network<T>&, RowsOrList, RowsOrList, const py::object&,
                    const FullBatchOptimizer&, std::int64_t, int, const std::string&,
                    std::optional<Weights>, std::optional<ClassWeights>,
                    const std::optional<std::vector<double>>&>(),
           py::keep_alive<1, 2>(), py::arg("network"), py::arg("x"), py::arg("y"), py::arg("loss"),
           py::arg("optimizer"), py::arg("batch_size"), py::arg("num_threads"),
           py::arg("input_sparsity"), py::arg("sample_weight") = py::none(),
           py::arg("class_weight") = py::none(), py::arg("loss_weights") = py::none())
      .def("step", &Training::step, py::arg("outputs").noconvert() = py::none(),
           "Make the next iteration; None where the training has ended.")
      .def_property_readonly("end", &Training::end, "Why it has ended, as a sentence.");
}

}  // namespace

void init_full_batch(py::module_& module) {
  py::class_<FullBatchOptimizer>(module, "FullBatchOptimizer", "A checked full-batch optimizer.")
      .def(py::init([](const py::object& config) {
             return FullBatchOptimizer::from_config(to_config(config));
           }),
           py::arg("config"))
      .def_property_readonly(
          "config", [](const FullBatchOptimizer& self) { return from_config(self.config()); })
      .def_static("kinds", &FullBatchOptimizer::kinds)
      .def_property("max_iterations", &FullBatchOptimizer::max_iterations,
                    &FullBatchOptimizer::set_max_iterations)
      .def(py::pickle([](const FullBatchOptimizer& self) { return from_config(self.config()); },
                      [](const py::dict& config) {
                        return FullBatchOptimizer::from_config(to_config(config));
                      }));
  py::class_<IterationReport>(module, "IterationReport")
      .def_readonly("epoch", &IterationReport::epoch)
      .def_readonly("loss", &IterationReport::loss)
      .def_readonly("losses", &IterationReport::losses)
      .def_readonly("gradient_norm", &IterationReport::gradient_norm)
      .def_readonly("step_length", &IterationReport::step_length)
      .def_readonly("evaluations", &IterationReport::evaluations)
      .def_readonly("damping", &IterationReport::damping)
      .def_readonly("effective_parameters", &IterationReport::effective_parameters)
      .def_readonly("alpha", &IterationReport::alpha)
      .def_readonly("beta", &IterationReport::beta);
  bind_full_batch<float>(module, "FullBatchTraining32");
  bind_full_batch<double>(module, "FullBatchTraining64");
}

}  // namespace chainrule::bindings

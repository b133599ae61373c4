// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "chainrule/full_batch.hpp"
#include "model/fields.hpp"
#include "model/kinds.hpp"

namespace chainrule {
namespace {

enum class FullBatchKind { lbfgs, levenberg_marquardt };

constexpr auto full_batch_kinds =
    model::kinds_of<FullBatchKind, FullBatchKind::levenberg_marquardt>("optimizer", "lbfgs",
                                                                       "levenberg_marquardt");

constexpr model::Range above_one{.text = "> 1", .low = 1.0};

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, Lbfgs>
static void visit_fields(Visit& visit, Self& self) {
  visit("memory", self.memory, model::at_least_one);
  visit("max_iterations", self.max_iterations, model::at_least_one);
  visit("tolerance", self.tolerance, model::non_negative);
  visit("max_evaluations", self.max_evaluations, model::at_least_one);
}

template <class Visit, class Self>
  requires model::described_as<Self, LevenbergMarquardt>
static void visit_fields(Visit& visit, Self& self) {
  visit("damping", self.damping, model::positive);
  visit("decrease", self.decrease, model::open_fraction);
  visit("increase", self.increase, above_one);
  visit("max_damping", self.max_damping, model::positive);
  visit("max_iterations", self.max_iterations, model::at_least_one);
  visit("tolerance", self.tolerance, model::non_negative);
  visit("goal", self.goal, model::non_negative);
  visit("acceleration", self.acceleration);
  visit("bayesian", self.bayesian);
}

namespace {

std::string_view kind_of(const FullBatchOptimizer& optimizer) {
  return full_batch_kinds.name(optimizer.lbfgs() ? FullBatchKind::lbfgs
                                                 : FullBatchKind::levenberg_marquardt);
}

template <class Options>
Options options_from(const Config& config) {
  Options options;
  model::read_fields(config, options);
  return options;
}

}  // namespace

std::int64_t FullBatchOptimizer::max_iterations() const {
  std::int64_t iterations = 0;
  options_.visit([&](const auto& options) { iterations = options.max_iterations; });
  return iterations;
}

void FullBatchOptimizer::set_max_iterations(std::int64_t iterations) {
  options_.visit([&](auto& options) { options.max_iterations = iterations; });
}

FullBatchOptimizer FullBatchOptimizer::from_config(const Config& config) {
  if (full_batch_kinds.find(config.kind) == FullBatchKind::lbfgs)
    return options_from<Lbfgs>(config);
  return options_from<LevenbergMarquardt>(config);
}

Config FullBatchOptimizer::config() const {
  Config config;
  options_.visit(
      [&](const auto& options) { config = model::write_fields(kind_of(*this), options); });
  return config;
}

std::vector<std::string> FullBatchOptimizer::kinds() { return full_batch_kinds.all(); }

void FullBatchOptimizer::check() const {
  options_.visit([&](const auto& options) { model::check_fields(kind_of(*this), options); });
}

std::string describe(TrainingEnd end) {
  constexpr std::array texts{
      "the training has not ended",
      "the gradient is within the tolerance",
      "the loss has reached the goal",
      "the loss no longer changes by more than rounding",
      "no step along the gradient makes the loss smaller",
      "no step makes the loss smaller, even at the greatest damping",
      "the maximum of iterations is reached",
      "the maximum of evaluations is reached",
  };
  return texts[static_cast<std::size_t>(end)];
}

}  // namespace chainrule

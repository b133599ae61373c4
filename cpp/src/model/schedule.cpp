// SPDX-License-Identifier: Apache-2.0
#include "chainrule/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/deterministic_math.hpp"
#include "model/fields.hpp"
#include "model/kinds.hpp"

namespace chainrule {
namespace {

using ScheduleKind = Schedule::Kind;

constexpr auto schedule_kinds = model::kinds_of<ScheduleKind, ScheduleKind::flat_cosine>(
    "schedule", "constant", "step", "exponential", "cosine", "one_cycle", "inverse_time",
    "piecewise", "reduce_on_plateau", "coslog", "flat_cosine");

/// Of few enough cycles for 2^cycles to be exact.
constexpr model::Range few_cycles{"in [1, 50]", 1.0, 50.0, true, true};

/// A length in epochs as steps, so that 0.7 epochs of 10 steps are 7 and not 7.000000000000001.
double in_steps(double epochs, std::int64_t steps_per_epoch) {
  const double steps = epochs * static_cast<double>(steps_per_epoch);
  const double whole = std::round(steps);
  return std::abs(steps - whole) <= 1e-9 * std::max(1.0, whole) ? whole : steps;
}

/// The length of a period or a cycle, at least one step.
double cycle_in_steps(double epochs, std::int64_t steps_per_epoch) {
  return std::max(1.0, in_steps(epochs, steps_per_epoch));
}

/// Half a cosine from `from` (progress 0) to `to` (progress 1).
double half_cosine(double from, double to, double progress) {
  return to + (from - to) * ((1.0 + model::cos_pi(progress)) / 2.0);
}

/// The part of all epochs that is done, at most 1.
double progress_of(const Schedule& schedule, double step, std::int64_t steps_per_epoch) {
  return std::min(1.0, step / cycle_in_steps(schedule.epochs, steps_per_epoch));
}

double coslog_rate(const Schedule& schedule, double progress) {
  const double growth = std::ldexp(1.0, static_cast<int>(schedule.cycles)) - 1.0;
  const double waves = model::log(1.0 + growth * progress) / std::numbers::ln2;
  // Of a wave, which is symmetric about its middle.
  const double place = std::abs(2.0 * (waves - std::floor(waves)) - 1.0);
  return schedule.learning_rate * ((1.0 + model::cos_pi(place)) / 2.0);
}

double flat_cosine_rate(const Schedule& schedule, double progress) {
  return half_cosine(schedule.learning_rate, 0.0, std::max(1.0, 2.0 * progress) - 1.0);
}

/// Moves from `place` steps behind the beginning of the first of growing cycles into its own cycle.
void skip_cycles(double& place, double& length, double factor) {
  constexpr int few = 10'000;
  for (int i = 0; place >= length; ++i) {
    if (i == few) {
      // n cycles take length * (factor^n - 1) / (factor - 1) steps.
      const double growth = factor - 1.0;
      const double n = std::floor(std::log1p(place / length * growth) / std::log1p(growth));
      const double grown = std::expm1(n * std::log1p(growth));
      place = std::max(0.0, place - length * grown / growth);
      length *= 1.0 + grown;
      place = std::min(place, std::nextafter(length, 0.0));
      return;
    }
    place -= length;
    length *= factor;
  }
}

double cosine_rate(const Schedule& schedule, double step, std::int64_t steps_per_epoch) {
  const double warmup = in_steps(schedule.warmup, steps_per_epoch);
  if (step < warmup) return schedule.learning_rate * (step + 1.0) / (warmup + 1.0);
  double place = step - warmup;
  double length = cycle_in_steps(schedule.epochs, steps_per_epoch);
  if (schedule.restart_factor == 0.0) {
    if (place >= length) return schedule.minimum;
  } else if (schedule.restart_factor == 1.0) {
    place = std::fmod(place, length);
  } else {
    skip_cycles(place, length, schedule.restart_factor);
  }
  return half_cosine(schedule.learning_rate, schedule.minimum, place / length);
}

double one_cycle_rate(const Schedule& schedule, double step, std::int64_t steps_per_epoch) {
  const double steps = cycle_in_steps(schedule.epochs, steps_per_epoch);
  const double top = schedule.warmup * steps - 1.0;
  const double last = steps - 1.0;
  const double start = schedule.learning_rate / schedule.div_factor;
  const double end = start / schedule.final_div_factor;
  if (step <= top && top > 0.0) return half_cosine(start, schedule.learning_rate, step / top);
  if (step >= last) return end;
  return half_cosine(schedule.learning_rate, end, (step - top) / (last - top));
}

double piecewise_rate(const Schedule& schedule, double step, std::int64_t steps_per_epoch) {
  std::size_t piece = 0;
  while (piece < schedule.boundaries.size() &&
         step >= in_steps(schedule.boundaries[piece], steps_per_epoch))
    ++piece;
  return schedule.values[piece];
}

}  // namespace

template <class Visit, class Self>
  requires model::described_as<Self, Schedule>
static void visit_fields(Visit& visit, Self& self) {
  if (self.kind != ScheduleKind::piecewise)
    visit("learning_rate", self.learning_rate, model::positive);
  switch (self.kind) {
    case ScheduleKind::constant:
      break;
    case ScheduleKind::step:
    case ScheduleKind::exponential:
      visit("gamma", self.gamma, model::positive);
      visit("period", self.period, model::positive);
      break;
    case ScheduleKind::inverse_time:
      visit("gamma", self.gamma, model::non_negative);
      visit("period", self.period, model::positive);
      break;
    case ScheduleKind::cosine:
      visit("epochs", self.epochs, model::positive);
      visit("warmup", self.warmup, model::non_negative);
      visit("minimum", self.minimum, model::non_negative);
      visit("restart_factor", self.restart_factor, model::non_negative);
      break;
    case ScheduleKind::one_cycle:
      visit("epochs", self.epochs, model::positive);
      visit("warmup", self.warmup, model::fraction);
      visit("div_factor", self.div_factor, model::at_least_one);
      visit("final_div_factor", self.final_div_factor, model::at_least_one);
      break;
    case ScheduleKind::piecewise:
      visit("boundaries", self.boundaries, model::positive);
      visit("values", self.values, model::positive);
      break;
    case ScheduleKind::reduce_on_plateau:
      visit("gamma", self.gamma, model::open_fraction);
      visit("patience", self.patience, model::non_negative);
      visit("threshold", self.threshold, model::half_open_fraction);
      visit("cooldown", self.cooldown, model::non_negative);
      visit("minimum", self.minimum, model::non_negative);
      break;
    case ScheduleKind::coslog:
      visit("epochs", self.epochs, model::positive);
      visit("cycles", self.cycles, few_cycles);
      break;
    case ScheduleKind::flat_cosine:
      visit("epochs", self.epochs, model::positive);
      break;
  }
}

Schedule Schedule::defaults(ScheduleKind kind) {
  Schedule schedule;
  schedule.kind = kind;
  if (kind == ScheduleKind::inverse_time) schedule.gamma = 1.0;
  if (kind == ScheduleKind::one_cycle) schedule.warmup = 0.3;
  return schedule;
}

Schedule Schedule::from_config(const Config& config) {
  Schedule schedule = defaults(schedule_kinds.find(config.kind));
  model::read_fields(config, schedule);
  schedule.check();
  return schedule;
}

Config Schedule::config() const { return model::write_fields(schedule_kinds.name(kind), *this); }

std::vector<std::string> Schedule::kinds() { return schedule_kinds.all(); }

void Schedule::check() const {
  const std::string_view name = schedule_kinds.name(kind);
  model::check_fields(name, *this);
  if (kind == ScheduleKind::cosine && restart_factor > 0.0 && restart_factor < 1.0)
    model::refuse(name, "restart_factor must be 0 or >= 1, got " + model::to_text(restart_factor));
  if ((kind == ScheduleKind::cosine || kind == ScheduleKind::reduce_on_plateau) &&
      minimum > learning_rate)
    model::refuse(name, "minimum must be <= learning_rate, got minimum " + model::to_text(minimum) +
                            " and learning_rate " + model::to_text(learning_rate));
  if (kind != ScheduleKind::piecewise) return;
  if (values.size() != boundaries.size() + 1)
    model::refuse(name, "values must be one more than boundaries, got " +
                            std::to_string(values.size()) + " values and " +
                            std::to_string(boundaries.size()) + " boundaries");
  for (std::size_t i = 1; i < boundaries.size(); ++i)
    if (boundaries[i] <= boundaries[i - 1])
      model::refuse(name, "boundaries must be strictly increasing, got " +
                              model::to_text(boundaries[i - 1]) + " before " +
                              model::to_text(boundaries[i]));
}

double Schedule::rate(std::int64_t step, std::int64_t steps_per_epoch) const {
  check();
  const std::string_view name = schedule_kinds.name(kind);
  model::check_value(name, "step", step, model::non_negative);
  model::check_value(name, "steps_per_epoch", steps_per_epoch, model::at_least_one);
  const auto done = static_cast<double>(step);
  const double periods = done / cycle_in_steps(period, steps_per_epoch);
  switch (kind) {
    case ScheduleKind::step:
      return learning_rate * model::power(gamma, std::floor(periods));
    case ScheduleKind::exponential:
      return learning_rate * model::power(gamma, periods);
    case ScheduleKind::inverse_time:
      return learning_rate / (1.0 + gamma * periods);
    case ScheduleKind::cosine:
      return cosine_rate(*this, done, steps_per_epoch);
    case ScheduleKind::one_cycle:
      return one_cycle_rate(*this, done, steps_per_epoch);
    case ScheduleKind::piecewise:
      return piecewise_rate(*this, done, steps_per_epoch);
    case ScheduleKind::coslog:
      return coslog_rate(*this, progress_of(*this, done, steps_per_epoch));
    case ScheduleKind::flat_cosine:
      return flat_cosine_rate(*this, progress_of(*this, done, steps_per_epoch));
    case ScheduleKind::constant:
    case ScheduleKind::reduce_on_plateau:
      break;
  }
  return learning_rate;
}

double Plateau::observe(const Schedule& schedule, double value, bool rises) {
  const bool improved =
      rises ? value > best * (1.0 + schedule.threshold) : value < best * (1.0 - schedule.threshold);
  if (improved) {
    best = value;
    bad_epochs = 0;
  } else {
    ++bad_epochs;
  }
  if (cooldown_left > 0) {
    --cooldown_left;
    bad_epochs = 0;
  }
  if (bad_epochs > schedule.patience) {
    // PyTorch's `eps`: a smaller change than this is not made.
    constexpr double least_change = 1e-8;
    const double reduced = std::max(rate * schedule.gamma, schedule.minimum);
    if (rate - reduced > least_change) rate = reduced;
    cooldown_left = schedule.cooldown;
    bad_epochs = 0;
  }
  return rate;
}

}  // namespace chainrule

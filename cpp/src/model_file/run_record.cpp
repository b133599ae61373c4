// SPDX-License-Identifier: Apache-2.0
#include "model_file/run_record.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "chainrule/error.hpp"
#include "model_file/training_description.hpp"

namespace chainrule::model_file {
namespace {

/// Integers of more digits are not read by Python, nor by many others.
constexpr std::size_t most_digits = 4300;

void check_digits(const Json& value) {
  if (value.is_object()) {
    value.for_each_member("a value", [](const Json&, const Json& member) { check_digits(member); });
  } else if (value.is_array()) {
    value.for_each_element("a value", [](const Json& element) { check_digits(element); });
  } else if (value.is_integer() && value.text().size() > most_digits) {
    throw Error("integers must have at most " + std::to_string(most_digits) + " digits, got " +
                value.excerpt());
  }
}

/// Numbers, null for NaN, or lists of such values.
void check_measured(const std::string& name, const Json& value) {
  if (value.is_array()) {
    value.for_each_element(name, [&](const Json& element) { check_measured(name, element); });
  } else if (!value.is_null() && !std::isfinite(value.number(name))) {
    throw Error(name + " must hold numbers of float64, got " + value.excerpt());
  }
}

/// Returns how many epochs there are.
std::int64_t check_epochs(const Json& numbers) {
  std::int64_t count = 0;
  std::int64_t last = 0;
  numbers.for_each_element("epochs of history", [&](const Json& element) {
    const std::int64_t epoch = element.integer("an epoch of history");
    if (epoch <= last || epoch > most_counted)
      throw Error("epochs of history must increase from 1 to at most " +
                  std::to_string(most_counted) + ", got " + std::to_string(epoch) + " behind " +
                  std::to_string(last));
    last = epoch;
    ++count;
  });
  return count;
}

void check_history(const Json& history) {
  history.for_each_member("history", [](const Json& key, const Json&) {
    const std::string name = key.string("a key");
    if (name != "epochs" && name != "history")
      throw Error("history has epochs and history, got " + key.excerpt());
  });
  const std::int64_t count = check_epochs(history.at("epochs"));
  history.at("history").for_each_member("history", [&](const Json& key, const Json& column) {
    const std::string name = "history of " + key.excerpt();
    std::int64_t values = 0;
    column.for_each_element(name, [&](const Json& value) {
      check_measured(name, value);
      ++values;
    });
    if (values != count)
      throw Error(name + " has " + std::to_string(values) + " values for " + std::to_string(count) +
                  " epochs");
  });
}

void check_metrics(const Json& metrics) {
  std::set<std::string> names;
  metrics.for_each_element("metrics", [&](const Json& metric) {
    if (!names.insert(metric.string("a metric")).second)
      throw Error("metrics must have different names, got " + metric.excerpt() + " twice");
  });
}

void check_callbacks(const Json& callbacks) {
  callbacks.for_each_member("callbacks", [](const Json& key, const Json& state) {
    if (!state.is_object())
      throw Error("the state of " + key.excerpt() + " must be an object, got " + state.excerpt());
  });
}

}  // namespace

void check_run_record(const Json& training) {
  check_digits(training);
  if (const auto metrics = training.find("metrics"); metrics && !metrics->is_null())
    check_metrics(*metrics);
  if (const auto history = training.find("history")) check_history(*history);
  if (const auto callbacks = training.find("callbacks")) check_callbacks(*callbacks);
  if (const auto name = training.find("target_name"); name && !name->is_null())
    name->string("target_name");
}

}  // namespace chainrule::model_file

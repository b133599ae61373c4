// SPDX-License-Identifier: Apache-2.0
#include "model/fields.hpp"

#include <cmath>
#include <ios>
#include <locale>
#include <sstream>
#include <type_traits>
#include <utility>
#include <variant>

namespace chainrule::model {
namespace {

std::string to_text(const ConfigValue& value) {
  return std::visit(
      [](const auto& held) -> std::string {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, bool>) {
          return held ? "true" : "false";
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          return std::to_string(held);
        } else if constexpr (std::is_same_v<T, double>) {
          return model::to_text(held);
        } else if constexpr (std::is_same_v<T, std::string>) {
          return "'" + held + "'";
        } else if constexpr (std::is_same_v<T, Config>) {
          return held.kind.empty() ? "a table" : "the description '" + held.kind + "'";
        } else {
          return "a list of " + std::to_string(held.size()) + " numbers";
        }
      },
      value);
}

[[noreturn]] void refuse_type(std::string_view kind, const ConfigEntry& option,
                              const char* expected) {
  refuse(kind, option.name + " must be " + expected + ", got " + to_text(option.value));
}

template <class T>
void assign_exactly(std::string_view kind, const ConfigEntry& option, const char* expected,
                    T& field) {
  const T* value = std::get_if<T>(&option.value);
  if (value == nullptr) refuse_type(kind, option, expected);
  field = *value;
}

}  // namespace

bool Range::holds(double value) const {
  return std::isfinite(value) && (with_low ? value >= low : value > low) &&
         (with_high ? value <= high : value < high);
}

std::string to_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text;
  for (const int digits : {6, 15, 16, 17}) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(digits);
    out << value;
    text = out.str();
    std::istringstream in(text);
    in.imbue(std::locale::classic());
    double again = 0.0;
    if (in >> again && again == value) break;
  }
  return text;
}

void refuse(std::string_view kind, const std::string& text) {
  throw Error(std::string(kind) + ": " + text);
}

void check_value(std::string_view kind, std::string_view name, double value, const Range& range) {
  if (range.holds(value)) return;
  const bool says_finite = std::isfinite(value) || range.text == std::string_view(finite.text);
  refuse(kind, std::string(name) + " must be " + (says_finite ? "" : "finite and ") + range.text +
                   ", got " + to_text(value));
}

void check_value(std::string_view kind, std::string_view name, std::int64_t value,
                 const Range& range) {
  if (range.holds(static_cast<double>(value))) return;
  refuse(kind, std::string(name) + " must be " + range.text + ", got " + std::to_string(value));
}

void check_value(std::string_view kind, std::string_view name, const std::vector<double>& values,
                 const Range& range) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!range.holds(values[i]))
      check_value(kind, std::string(name) + "[" + std::to_string(i) + "]", values[i], range);
}

void check_value(std::string_view kind, std::string_view name,
                 const std::vector<std::int64_t>& values, const Range& range) {
  const bool single = values.size() == 1;
  for (std::size_t i = 0; i < values.size(); ++i)
    check_value(kind,
                single ? std::string(name) : std::string(name) + "[" + std::to_string(i) + "]",
                values[i], range);
}

void check_value(std::string_view kind, std::string_view name, const ParameterFactors& factors,
                 const Range& range) {
  check_value(kind, name, factors.all(), range);
  for (const auto& [array, factor] : factors.named())
    check_value(kind, std::string(name) + "['" + array + "']", factor, range);
}

void assign(std::string_view kind, const ConfigEntry& option, bool& field) {
  assign_exactly(kind, option, "true or false", field);
}

void assign(std::string_view kind, const ConfigEntry& option, std::int64_t& field) {
  // 3.0 reads as a number that is no integer, 3 would not.
  const auto* number = std::get_if<double>(&option.value);
  if (number && std::floor(*number) == *number && std::abs(*number) < 1e6)
    refuse(kind, option.name + " must be an integer, got " + model::to_text(*number) + ".0");
  assign_exactly(kind, option, "an integer", field);
}

void assign(std::string_view kind, const ConfigEntry& option, double& field) {
  if (const auto* integer = std::get_if<std::int64_t>(&option.value)) {
    field = static_cast<double>(*integer);
  } else {
    assign_exactly(kind, option, "a number", field);
  }
}

void assign(std::string_view kind, const ConfigEntry& option, std::string& field) {
  assign_exactly(kind, option, "a name", field);
}

void assign(std::string_view kind, const ConfigEntry& option, std::vector<double>& field) {
  assign_exactly(kind, option, "a list of numbers", field);
}

void assign(std::string_view kind, const ConfigEntry& option, std::vector<std::int64_t>& field) {
  if (const auto* integer = std::get_if<std::int64_t>(&option.value)) {
    field = {*integer};
    return;
  }
  const auto* numbers = std::get_if<std::vector<double>>(&option.value);
  if (numbers == nullptr) refuse_type(kind, option, "an integer or a list of integers");
  constexpr double exact = 9007199254740992.0;  // 2^53
  std::vector<std::int64_t> integers;
  for (const double number : *numbers) {
    if (!(std::abs(number) <= exact) || number != std::floor(number))
      refuse(kind, option.name + "[" + std::to_string(integers.size()) +
                       "] must be an integer, got " + to_text(number));
    integers.push_back(static_cast<std::int64_t>(number));
  }
  field = std::move(integers);
}

void assign(std::string_view kind, const ConfigEntry& option, ParameterFactors& field) {
  const Config* table = std::get_if<Config>(&option.value);
  double all = 1.0;
  if (table == nullptr) {
    if (!std::holds_alternative<double>(option.value) &&
        !std::holds_alternative<std::int64_t>(option.value))
      refuse_type(kind, option, "a number, or a table of numbers");
    assign(kind, option, all);
    field = all;
    return;
  }
  if (!table->kind.empty()) refuse_type(kind, option, "a number, or a table of numbers");
  std::vector<ParameterFactors::Named> named;
  for (const ConfigEntry& entry : table->options) {
    for (const auto& earlier : named)
      if (earlier.first == entry.name)
        refuse(kind, option.name + " has '" + entry.name + "' twice");
    assign(kind, {option.name + "['" + entry.name + "']", entry.value},
           named.emplace_back(entry.name, 1.0).second);
  }
  field = std::move(named);
}

ConfigValue factors_value(const ParameterFactors& factors) {
  if (factors.named().empty()) return factors.all();
  Config table;
  for (const auto& [array, factor] : factors.named()) table.options.push_back({array, factor});
  return table;
}

ConfigValue list_value(const std::vector<std::int64_t>& integers) {
  if (integers.size() == 1) return integers[0];
  return std::vector<double>(integers.begin(), integers.end());
}

Config nested_config(std::string_view kind, const ConfigEntry& option) {
  if (const auto* name = std::get_if<std::string>(&option.value)) return Config{*name, {}};
  const auto* config = std::get_if<Config>(&option.value);
  if (config != nullptr && !config->kind.empty()) return *config;
  refuse_type(kind, option, "a name or a description");
}

void check_options(const Config& config, const std::vector<std::string>& names) {
  for (auto option = config.options.begin(); option != config.options.end(); ++option) {
    const auto is_option = [&](const auto& name) { return name == option->name; };
    if (std::none_of(names.begin(), names.end(), is_option))
      throw Error(unknown_name(config.kind + " option", option->name, names));
    if (std::any_of(config.options.begin(), option,
                    [&](const ConfigEntry& earlier) { return is_option(earlier.name); }))
      refuse(config.kind, option->name + " is given twice");
  }
}

}  // namespace chainrule::model

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/names.hpp"
#include "chainrule/parameter_factors.hpp"

/// How a description lists its options, once for reading, writing and checking.
///
/// A description `T` has in its own file
///
///     template <class Visit, class Self>
///       requires model::described_as<Self, T>
///     static void visit_fields(Visit& visit, Self& self) {
///       visit("rate", self.rate, model::half_open_fraction);
///     }
///
/// and gets from it `read_fields` (Config -> T), `write_fields` (T -> Config) and `check_fields`.
/// Which options are visited may depend on the description's kind, on nothing else.
namespace chainrule::model {

/// The numbers that an option may take, and how an error message says so.
struct Range {
  const char* text;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool with_low = false;
  bool with_high = false;

  /// False for NaN and for infinities.
  bool holds(double value) const;
};

inline constexpr Range finite{"finite"};
inline constexpr Range positive{"> 0", 0.0};
inline constexpr Range non_negative{.text = ">= 0", .low = 0.0, .with_low = true};
inline constexpr Range at_least_one{.text = ">= 1", .low = 1.0, .with_low = true};
inline constexpr Range fraction{"in [0, 1]", 0.0, 1.0, true, true};
inline constexpr Range open_fraction{"in (0, 1)", 0.0, 1.0};
inline constexpr Range half_open_fraction{"in [0, 1)", 0.0, 1.0, true, false};

template <class Self, class T>
concept described_as = std::same_as<std::remove_const_t<Self>, T>;

/// A description that can stand as an option of another one.
template <class T>
concept Nested = requires(const T& value, const Config& config) {
  { T::from_config(config) } -> std::same_as<T>;
  { value.config() } -> std::same_as<Config>;
  value.check();
};

/// Throws the Error "<kind>: <name> must be <range>, got <value>" unless the range holds the value.
void check_value(std::string_view kind, std::string_view name, double value, const Range& range);
void check_value(std::string_view kind, std::string_view name, std::int64_t value,
                 const Range& range);
void check_value(std::string_view kind, std::string_view name, const std::vector<double>& values,
                 const Range& range);
void check_value(std::string_view kind, std::string_view name,
                 const std::vector<std::int64_t>& values, const Range& range);
void check_value(std::string_view kind, std::string_view name, const ParameterFactors& factors,
                 const Range& range);
inline void check_value(std::string_view, std::string_view, bool, const Range&) {}
inline void check_value(std::string_view, std::string_view, const std::string&, const Range&) {}

/// Throws the Error of `check_value` for a condition that ties several options together.
[[noreturn]] void refuse(std::string_view kind, const std::string& text);

/// The shortest decimal text that reads back as `value`.
std::string to_text(double value);

/// The option's value as the field's type; throws Error when it is of another type.
void assign(std::string_view kind, const ConfigEntry& option, bool& field);
void assign(std::string_view kind, const ConfigEntry& option, std::int64_t& field);
void assign(std::string_view kind, const ConfigEntry& option, double& field);
void assign(std::string_view kind, const ConfigEntry& option, std::string& field);
void assign(std::string_view kind, const ConfigEntry& option, std::vector<double>& field);
/// One integer stands for a list of it.
void assign(std::string_view kind, const ConfigEntry& option, std::vector<std::int64_t>& field);
/// A number, or a table of numbers: a Config without a kind.
void assign(std::string_view kind, const ConfigEntry& option, ParameterFactors& field);
Config nested_config(std::string_view kind, const ConfigEntry& option);
/// What `assign` reads back; of at least one integer.
ConfigValue list_value(const std::vector<std::int64_t>& integers);
/// What `assign` reads back.
ConfigValue factors_value(const ParameterFactors& factors);

/// Throws Error for an option that is not among `names` or is given twice.
void check_options(const Config& config, const std::vector<std::string>& names);

/// Runs `work` and puts "<kind>: <name>: " before the text of an Error that it throws.
template <class Work>
auto within(std::string_view kind, std::string_view name, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    refuse(kind, std::string(name) + ": " + error.what());
  }
}

class FieldNames {
 public:
  template <class T>
  void operator()(const char* name, const T&, const Range& = finite) {
    names.emplace_back(name);
  }

  std::vector<std::string> names;
};

class FieldChecker {
 public:
  explicit FieldChecker(std::string_view kind) : kind_(kind) {}

  template <class T>
  void operator()(const char* name, const T& field, const Range& range = finite) {
    if constexpr (Nested<T>) {
      within(kind_, name, [&] { field.check(); });
    } else {
      check_value(kind_, name, field, range);
    }
  }

  template <class T>
  void operator()(const char* name, const std::optional<T>& field, const Range& range = finite) {
    if (field) (*this)(name, *field, range);
  }

 private:
  std::string_view kind_;
};

class FieldReader {
 public:
  explicit FieldReader(const Config& config) : config_(config) {}

  template <class T>
  void operator()(const char* name, T& field, const Range& range = finite) {
    const ConfigEntry* option = find(name);
    if (option == nullptr) {
      // A default outside the option's range says that the option must be given.
      require(name, field, range);
    } else if constexpr (Nested<T>) {
      const Config nested = nested_config(config_.kind, *option);
      field = within(config_.kind, name, [&] { return T::from_config(nested); });
    } else {
      assign(config_.kind, *option, field);
      FieldChecker{config_.kind}(name, field, range);
    }
  }

  template <class T>
  void operator()(const char* name, std::optional<T>& field, const Range& range = finite) {
    if (find(name) != nullptr) (*this)(name, field.emplace(), range);
  }

  void operator()(const char* name, std::string& field) {
    if (const ConfigEntry* option = find(name)) assign(config_.kind, *option, field);
  }

 private:
  const ConfigEntry* find(std::string_view name) const {
    const auto found = std::find_if(config_.options.begin(), config_.options.end(),
                                    [&](const ConfigEntry& entry) { return entry.name == name; });
    return found == config_.options.end() ? nullptr : &*found;
  }

  template <class T>
  void require(const char* name, const T& field, const Range& range) const {
    if constexpr (std::is_arithmetic_v<T>)
      if (!std::same_as<T, bool> && !range.holds(static_cast<double>(field)))
        refuse(config_.kind, std::string(name) + " is missing; it must be " + range.text);
  }

  const Config& config_;
};

class FieldWriter {
 public:
  explicit FieldWriter(std::string_view kind) : config{std::string(kind), {}} {}

  template <class T>
  void operator()(const char* name, const T& field, const Range& = finite) {
    if constexpr (Nested<T>) {
      config.options.push_back({name, field.config()});
    } else if constexpr (std::same_as<T, std::vector<std::int64_t>>) {
      if (!field.empty()) config.options.push_back({name, list_value(field)});
    } else if constexpr (std::same_as<T, ParameterFactors>) {
      if (field != T()) config.options.push_back({name, factors_value(field)});
    } else {
      config.options.push_back({name, field});
    }
  }

  template <class T>
  void operator()(const char* name, const std::optional<T>& field, const Range& = finite) {
    if (field) (*this)(name, *field);
  }

  Config config;
};

/// Sets the fields of `target` that `config` gives; throws Error for an option that is unknown, of
/// the wrong type, out of range or missing.
template <class T>
void read_fields(const Config& config, T& target) {
  FieldNames known;
  visit_fields(known, target);
  check_options(config, known.names);
  FieldReader reader(config);
  visit_fields(reader, target);
}

template <class T>
Config write_fields(std::string_view kind, const T& source) {
  FieldWriter writer(kind);
  visit_fields(writer, source);
  return std::move(writer.config);
}

template <class T>
void check_fields(std::string_view kind, const T& source) {
  FieldChecker checker(kind);
  visit_fields(checker, source);
}

}  // namespace chainrule::model

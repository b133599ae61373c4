// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"

namespace chainrule {

/// A factor for each trained array of a layer: one for all of them, or some by name, where the
/// others have 1.
///
///     dense.learning_rate_factor = 0.1;
///     dense.weight_decay_factor = {{"bias", 0.0}};
class CHAINRULE_API ParameterFactors {
 public:
  using Named = std::pair<std::string, double>;

  ParameterFactors() = default;
  ParameterFactors(double all) : all_(all) {}
  ParameterFactors(std::vector<Named> named) : named_(std::move(named)) {}
  ParameterFactors(std::initializer_list<Named> named) : named_(named) {}

  /// The factor of the array of that name.
  double of(std::string_view array) const;

  /// Of all arrays, where none are named.
  double all() const { return all_; }
  const std::vector<Named>& named() const { return named_; }

  bool operator==(const ParameterFactors&) const = default;

 private:
  double all_ = 1.0;
  std::vector<Named> named_;
};

}  // namespace chainrule

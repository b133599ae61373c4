// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "chainrule/callback.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/data.hpp"
#include "chainrule/export.h"
#include "chainrule/network.hpp"
#include "chainrule/owned.hpp"

namespace chainrule {

/// What is known beforehand; what is not is found by the evidence for it.
struct LaplaceOptions {
  std::optional<double> prior_precision = {};  // of each parameter
  std::optional<double> noise = {};            // the standard deviation of targets about outputs
  int num_threads = 0;                         // 0: default_num_threads()
};

/// The Laplace approximation of what data leave uncertain of a regression network that has been
/// trained for mse: a normal distribution of the parameters about the trained ones with the
/// precision J^T J / noise^2 + prior_precision, of the Jacobian J of the outputs (MacKay, 1992,
/// "A practical Bayesian framework for backpropagation networks"). In double, for at most
/// LevenbergMarquardt::kMostParameters trained parameters.
class CHAINRULE_API Laplace {
 public:
  using Poll = Callback<void()>;

  /// Copies what it needs of the network, whose graph has a single output. Throws Error for what
  /// does not fit.
  template <class T>
  Laplace(const Network<T>& network, const Inputs& x, const TargetsView& y,
          const LaplaceOptions& options = {}, const Poll& poll = {});
  Laplace(Laplace&&) noexcept;
  Laplace& operator=(Laplace&&) noexcept;
  ~Laplace();

  double prior_precision() const;
  double noise() const;
  double effective_parameters() const;  // that the data determine
  double log_evidence() const;          // of the data, for a choice between networks
  std::int64_t outputs() const;

  /// Means of the outputs and standard deviations of targets, rows x outputs.
  void predict(const Inputs& x, double* means, double* deviations, const Poll& poll = {}) const;

 private:
  struct CHAINRULE_HIDDEN State;
  Owned<State> state_;
};

}  // namespace chainrule

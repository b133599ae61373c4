// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/stages/activation.hpp"
#include "engine/stages/stage.hpp"

namespace chainrule::engine {

/// y = x0 + f(x1), or f(x0) + x1, all (rows x columns): a sum with a term that is an activation's
/// and that nothing else reads, as at the end of a residual block. The term stays in L1, a few rows
/// at a time, and its derivative comes from f's input, so the term has no tensor.
template <class T>
class ActivatedSumStage final : public Stage<T>, public Joins<T>, public WorksInBlocks<T> {
 public:
  /// Whether f's derivative is the same with f's input in the place of its output.
  static bool takes(Activation::Kind kind);

  /// `term`: which of the two is activated.
  ActivatedSumStage(const kernels::KernelTable<T>& kernels, const Activation& activation,
                    std::int64_t columns, std::size_t term)
      : kernels_(kernels),
        kind_(activation.config().kind),
        function_(kernel_function<T>(activation)),
        columns_(columns),
        term_(term) {}

  std::string describe() const override { return kind_ + ", add"; }
  std::int64_t outputs() const override { return columns_; }
  bool passes_gradient(std::size_t input) const override { return input != term_; }
  Cost cost(std::int64_t rows) const override;

  void forward(const Step<T>& step, ThreadContext& context) override;
  void backward(const Step<T>& step, ThreadContext& context) override;

 private:
  const kernels::KernelTable<T>& kernels_;
  std::string kind_;
  kernels::ActivationFunction<T> function_;
  std::int64_t columns_;
  std::size_t term_;
};

}  // namespace chainrule::engine

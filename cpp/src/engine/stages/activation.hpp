// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "chainrule/activation.hpp"
#include "chainrule/config.hpp"
#include "engine/inference/infers.hpp"
#include "engine/stages/stage.hpp"

namespace chainrule::engine {

/// What the kernels take of an activation: its kind, and its options rounded to T.
template <class T>
kernels::ActivationFunction<T> kernel_function(const Activation& activation);

/// What the kernel for f'(x) dy reads besides dy.
struct DerivativeReads {
  bool x;
  bool y;
};
DerivativeReads derivative_reads(Activation::Kind kind);

/// y = f(x), (rows x columns). Public within the engine so that a plan can see what its last stage
/// is: a loss that contains that activation (softmax in cross-entropy, the sigmoid in its binary
/// form) replaces it and works from the stage's input.
template <class T>
class ActivationStage final : public Stage<T>, public Infers<T>, public WorksInBlocks<T> {
 public:
  ActivationStage(const kernels::KernelTable<T>& kernels, const Activation& activation,
                  std::int64_t columns)
      : kernels_(kernels),
        activation_(activation),
        function_(kernel_function<T>(activation)),
        columns_(columns) {}

  std::string describe() const override { return activation_.config().kind; }
  std::int64_t outputs() const override { return columns_; }
  const Activation& activation() const { return activation_; }

  void forward(const Step<T>& step, ThreadContext& context) override;
  void backward(const Step<T>& step, ThreadContext& context) override;
  void infer(const InferArgs<T>& p) const noexcept override;
  bool reads_x_again() const override { return derivative_reads(activation_.kind).x; }
  bool reads_y_again() const override { return derivative_reads(activation_.kind).y; }

 private:
  kernels::ActivationArgs<T> arguments(std::int64_t rows, std::int64_t stride) const;

  const kernels::KernelTable<T>& kernels_;
  Activation activation_;
  kernels::ActivationFunction<T> function_;
  std::int64_t columns_;
};

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
// Losses that are functions of the program's own. In C++:
//
//     const Loss loss = Loss::custom("focal", [](const auto& batch) {
//       for (std::int64_t i = 0; i < batch.rows; ++i) { batch.losses[i] = ...; }
//     });
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "chainrule/callback.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/shape.hpp"

namespace chainrule {

/// What a custom loss is given of a batch, and where it leaves the loss of each row and its
/// derivative. Rows lie one behind the other, without padding, in memory that is the engine's: it
/// may be used until the function returns.
template <class T>
struct LossBatch {
  std::int64_t rows;
  const Shape& shape;           // of a row of outputs
  const T* outputs;             // rows x shape.size(), as the last layer gives them
  const T* targets;             // rows x target_columns; null where there are labels
  std::int64_t target_columns;  // any number, which the loss makes sense of
  const std::int64_t* labels;   // rows x target_columns; null where there are targets
  T* losses;                    // rows
  T* gradients;                 // rows x shape.size(): d losses[i] / d row i of the outputs
};

/// A function that is a loss. The engine calls it for one batch after the other, on the thread that
/// called the engine, between the forward and the backward pass, and works out the mean by weights
/// itself. It may throw: what it throws comes out of the call that it is part of, and the network
/// is as it was before the batch. Copies are the same loss.
class CHAINRULE_API CustomLoss {
 public:
  CustomLoss() = default;
  /// `function` is called with a LossBatch<float> by networks of float, and with a
  /// LossBatch<double> by those of double; it has to take one of them, or both.
  template <class Function>
  CustomLoss(std::string name, const Function& function)
      : name_(std::move(name)), number_(next_number()) {
    if constexpr (requires(const LossBatch<float>& batch) { function(batch); }) single_ = function;
    if constexpr (requires(const LossBatch<double>& batch) { function(batch); }) double_ = function;
  }

  const std::string& name() const { return name_; }
  explicit operator bool() const { return single_ || double_; }
  /// Throw Error where the function takes no such batch.
  void operator()(const LossBatch<float>& batch) const;
  void operator()(const LossBatch<double>& batch) const;

  bool operator==(const CustomLoss& other) const { return number_ == other.number_; }

 private:
  static std::uint64_t next_number();

  std::string name_;
  std::uint64_t number_ = 0;
  Callback<void(const LossBatch<float>&)> single_;
  Callback<void(const LossBatch<double>&)> double_;
};

}  // namespace chainrule

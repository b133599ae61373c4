// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "chainrule/activation.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/initializer.hpp"
#include "chainrule/layer.hpp"

namespace chainrule {

/// What recurrent layers have in common. They read rows of shape (time, features), step by step
/// from a state of zeros, and give the state of `units` numbers behind the last step or, with
/// return_sequences, behind each step. A second input, of shape (1), says how many positions of a
/// row there are, from 1 to `time`: what lies behind them counts nothing, and the row keeps its
/// state (with return_sequences it gives zeros there). The last inputs, of shape (units), may be
/// the state that the first step begins with, of an LSTM h and c. A single input of shape (1)
/// behind the rows is their length, so a state of one unit needs lengths before it. With
/// return_state the layer gives (positions, units): the sequence if there is one, and behind it the
/// final state, of an LSTM h and c, which Position takes from there. Arrays:
/// "weight" of shape (features, gates x units), "recurrent_weight" of (units, gates x units),
/// "bias" of (gates x units), in Keras' order of gates.
class CHAINRULE_API RecurrentLayer : public TrainedLayer {
 public:
  std::int64_t units = 0;
  bool return_sequences = false;
  bool return_state = false;  // of each row behind its last step
  bool go_backwards = false;  // from the last position to the first; outputs stay where they belong
  bool use_bias = true;
  Initializer weight_initializer = {Initializer::Kind::glorot_uniform, {}};
  Initializer recurrent_initializer = Initializer::defaults(Initializer::Kind::orthogonal);
  Initializer bias_initializer = {};
  double l1 = 0.0;  // of both matrices
  double l2 = 0.0;
  /// In training, how likely a number of the state is 0 where it is multiplied by the recurrent
  /// weights: the same numbers at all steps of a row, the others being scaled by 1 / (1 - rate).
  double recurrent_dropout = 0.0;
  /// No gradient passes from a position that is a multiple of it to the one before; 0: all do.
  std::int64_t truncate_gradient = 0;

  Shape output_shape(const std::vector<Shape>& inputs) const override;
  /// How many numbers of `units` are a state: two of an LSTM, else one.
  virtual std::size_t states() const { return 1; }
  /// Whether the second of inputs of these shapes is the length of each row.
  bool reads_lengths(const std::vector<Shape>& inputs) const;

 protected:
  RecurrentLayer() = default;
  explicit RecurrentLayer(std::int64_t units_) : units(units_) {}

  /// The arrays that all kinds have, without factors.
  std::vector<ParameterSpec> arrays(const std::vector<Shape>& inputs) const;
  virtual std::int64_t gates() const = 0;
  virtual void check_options() const = 0;
};

/// h = activation(x W + b + h' U), with h' the state before the step.
class CHAINRULE_API SimpleRNN final : public RecurrentLayer {
 public:
  Activation activation = {Activation::Kind::tanh};

  SimpleRNN() = default;
  explicit SimpleRNN(std::int64_t units_) : RecurrentLayer(units_) {}
  static SimpleRNN from_config(const Config& config);

  std::string_view kind() const override { return "simple_rnn"; }
  Config config() const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;

 protected:
  std::int64_t gates() const override { return 1; }
  void check_options() const override;
};

/// Gated recurrent units: gates z (update), r (reset) and n (new state), with the reset gate behind
/// the product with the state, as in cuDNN, PyTorch and Keras' reset_after; so there is a
/// "recurrent_bias" of (3 units) besides.
class CHAINRULE_API GRU final : public RecurrentLayer {
 public:
  GRU() = default;
  explicit GRU(std::int64_t units_) : RecurrentLayer(units_) {}
  static GRU from_config(const Config& config);

  std::string_view kind() const override { return "gru"; }
  Config config() const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;

 protected:
  std::int64_t gates() const override { return 3; }
  void check_options() const override;
};

/// Long short-term memory: gates i (input), f (forget), g (new content) and o (output).
class CHAINRULE_API LSTM final : public RecurrentLayer {
 public:
  bool unit_forget_bias = true;  // the forget gate's biases start at 1

  LSTM() = default;
  explicit LSTM(std::int64_t units_) : RecurrentLayer(units_) {}
  static LSTM from_config(const Config& config);

  std::string_view kind() const override { return "lstm"; }
  Config config() const override;
  std::size_t states() const override { return 2; }
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;

 protected:
  std::int64_t gates() const override { return 4; }
  void check_options() const override;
};

}  // namespace chainrule

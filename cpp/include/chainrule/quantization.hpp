// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"

namespace chainrule {

/// The numbers that a Predictor keeps the weights of dense layers in. Everything else, biases and
/// embeddings included, is as in the network.
enum class WeightType {
  unchanged,
  /// The upper 16 bits of a float, rounded to nearest even. A prediction has the bits of a
  /// network with weights so rounded.
  bfloat16,
  /// Integers from -127 to 127 with a scale for each column. What enters a dense layer becomes an
  /// integer from 0 to 127 too, by ranges found on sample rows: Predictor::calibrate.
  int8,
};

/// What enters a dense layer: numbers beyond these limits count as the limits.
struct InputRange {
  float low;   // at most 0
  float high;  // at least 0
};

/// Which small weights, and for int8 the range of what enters each dense layer, in the order of the
/// layers.
struct Quantization {
  WeightType weights = WeightType::unchanged;
  std::vector<InputRange> ranges = {};
};

/// The upper 16 bits of a float, rounded to nearest even; a NaN stays one.
CHAINRULE_API std::uint16_t to_bfloat16(float value);

/// The scale of an int8 column whose largest magnitude is `largest`: a number s of 17 digits, so
/// that s q is exact for the integers q of the column, and a column of such products has the same
/// s.
CHAINRULE_API float int8_scale(float largest);

}  // namespace chainrule

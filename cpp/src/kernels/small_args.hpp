// SPDX-License-Identifier: Apache-2.0
// What products of rows with small weights read. Words of 32 bits lie where numbers would, in
// column panels of rows of whole vectors, and hold several weights each:
//
//   bfloat16   [panel][input][pairs of vectors]: the low half of a word is a weight of the first
//              vector of a pair, the high half one of the second; the second is missing where a
//              narrow panel has an odd number of vectors.
//   int8       [panel][inputs / 4][column]: the bytes of a word, the lowest first, are the weights
//              of one column for four inputs, zeros behind the last one.
#pragma once

#include <stdint.h>

#include "kernels/layer_args.hpp"
#include "kernels/layout.hpp"

namespace chainrule::kernels {

/// Weights of one word of int8.
constexpr int64_t kWordTerms = 4;
/// What enters a product in integers is 0 to this, so that the sum of two products with weights of
/// -127 to 127 fits 16 bits, in which AVX2 has them.
constexpr int64_t kLargestInteger = 127;

/// y = activation(x W + b). In int8 an input x is the integer q = x * input_scale + zero, limited
/// to 0 to kLargestInteger, and y(j) = (start(j) + sum of q w) * scale(j) + b(j).
struct SmallProduct {
  PanelShape shape;  // of W: (inputs x outputs)
  const int32_t* words;
  const float* bias;  // padded vector, or null for zero
  ActivationFunction<float> activation;
  const float* scale;  // of int8 alone, as all that follows; padded vectors
  const int32_t* start;
  float input_scale, zero;
};

/// Rows [0, rows); those of x need no padding where there is a single one and `terms` is null.
struct SmallForwardArgs {
  SmallProduct product;
  const float* x;
  int64_t x_stride;
  float* y;
  int64_t y_stride;
  int64_t rows;
  int32_t* terms;    // as for forward_row
  uint8_t* scratch;  // of int8: rows x integer_stride
};

/// Bytes from one row of integers to the next.
constexpr int64_t integer_stride(int64_t inputs) {
  return (inputs + kRowAlignmentBytes - 1) / kRowAlignmentBytes * kRowAlignmentBytes;
}

}  // namespace chainrule::kernels

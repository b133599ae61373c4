// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "peer.hpp"

/// What a step reads that the last one wrote; zeros at first.
struct OnnxState {
  std::string in;
  std::string out;
  std::vector<std::int64_t> shape;
};

/// A network as ONNX: y of x and the states.
struct OnnxModel {
  std::string bytes;
  std::vector<std::int64_t> x;
  std::vector<std::int64_t> y;
  std::string output;  // the name of y
  std::vector<OnnxState> states;

  /// Convolutions read the frames of their windows from states or, with `from_window`, work out
  /// all that depends on x anew, which is then as many frames as an output depends on.
  static OnnxModel of(const NetworkDescription& d, bool from_window);
};

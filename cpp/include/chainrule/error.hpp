// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"

namespace chainrule {

/// Every failure a caller can cause or meet; the text names the argument, what was given and what
/// was expected.
class CHAINRULE_API Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A call that is well formed but comes at the wrong moment, such as `backward` before `forward`.
class CHAINRULE_API StateError : public Error {
 public:
  using Error::Error;
};

/// A model file that is truncated, altered, of a newer version or no model file at all.
class CHAINRULE_API ModelFileError : public Error {
 public:
  using Error::Error;
};

/// A file that cannot be opened, read or written: the operating system's error number (errno) and
/// its text.
class CHAINRULE_API FileError : public Error {
 public:
  FileError(const std::string& path_, int code_);

  std::string path;
  int code;
};

/// A training loss or a parameter that became NaN or infinite. Epochs and batches count from 1.
class CHAINRULE_API DivergenceError : public Error {
 public:
  DivergenceError(const std::string& text, std::int64_t epoch_, std::int64_t batch_,
                  std::string layer_, double loss_)
      : Error(text), epoch(epoch_), batch(batch_), layer(std::move(layer_)), loss(loss_) {}

  std::int64_t epoch;
  std::int64_t batch;
  std::string layer;
  double loss;
};

}  // namespace chainrule

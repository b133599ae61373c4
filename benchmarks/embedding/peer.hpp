// SPDX-License-Identifier: Apache-2.0
// What a library has to offer: a factory that makes a predictor for a network, or null for one that
// it was not built for. Nothing of the standard library crosses.
#pragma once

#include <stdint.h>

struct DenseDescription {
  int64_t inputs;
  int64_t outputs;
  const float* weight;  // inputs x outputs, row-major
  const float* bias;
};

enum class Hidden : int { relu, tanh };

/// Dense layers with an activation behind all but the last.
struct NetworkDescription {
  int64_t depth;
  const DenseDescription* layers;
  Hidden hidden;
};

class Peer {
 public:
  virtual ~Peer() = default;
  virtual const char* name() const = 0;
  virtual void predict(const float* in, float* out) = 0;
};

using Factory = Peer*(const NetworkDescription&);

#define PEER_EXPORT extern "C" __attribute__((visibility("default")))

// SPDX-License-Identifier: Apache-2.0
// What a library has to offer: a factory that makes a predictor for a network, or null for one that
// it was not built for. Nothing of the standard library crosses.
#pragma once

#include <stdint.h>

enum class LayerKind : int { dense, gru, lstm, causal_convolution };
enum class ActivationKind : int { linear, relu, tanh };

/// A layer with its numbers, all matrices row-major. Gates are in Keras' order.
struct LayerDescription {
  LayerKind kind;
  int64_t inputs;
  int64_t outputs;
  ActivationKind activation;  // of dense layers and convolutions
  int64_t taps;               // of convolutions; 1 of others
  int64_t dilation;
  const float* weight;            // (taps inputs) x (gates outputs), from the oldest frame on
  const float* bias;              // gates outputs
  const float* recurrent_weight;  // outputs x (gates outputs)
  const float* recurrent_bias;    // gates outputs, of a GRU alone

  int64_t gates() const { return kind == LayerKind::gru ? 3 : kind == LayerKind::lstm ? 4 : 1; }
  int64_t columns() const { return gates() * outputs; }
  /// Frames from the oldest that an output depends on to the newest.
  int64_t span() const { return (taps - 1) * dilation + 1; }
};

/// Layers one behind the other.
struct NetworkDescription {
  int64_t depth;
  const LayerDescription* layers;

  int64_t inputs() const { return layers[0].inputs; }
  int64_t outputs() const { return layers[depth - 1].outputs; }
  /// Whether rows are frames of a sequence, of which layers remember something.
  bool is_stream() const { return layers[0].kind != LayerKind::dense; }
};

class Peer {
 public:
  virtual ~Peer() = default;
  virtual const char* name() const = 0;
  virtual void predict(const float* in, float* out) = 0;
};

using Factory = Peer*(const NetworkDescription&);

#define PEER_EXPORT extern "C" __attribute__((visibility("default")))

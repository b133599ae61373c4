// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/predictor.hpp"

namespace chainrule {

/// A Predictor over sequences that come one frame at a time, without an end: audio, sensors,
/// control. Of a network whose inputs have shape (time, features) it makes one step for each frame
/// and remembers what later ones need; the time axis that the network was trained with is no limit.
/// The outputs of the first `time` frames have the bits of Network::predict's at these positions;
/// behind a recurrent layer without return_sequences they are those of a sequence that ends with
/// the frame.
///
/// Layers may be recurrent ones that go forward, Conv1D and DepthwiseConv1D with strides of 1 and
/// padding `causal` (or a kernel of one position), and those that work on each position by itself.
/// An input of tokens, of shape (time) in front of an Embedding of one table, or a
/// CategoryEncoding, and of a Reshape to (time, columns), has its tokens for frames. T is float or
/// double.
///
///     StreamingPredictor<float> predictor(network);             // once
///     StreamingPredictor<float>::StreamState state(predictor);  // once per sequence
///     predictor.step(frame, out, state);  // frame: inputs() values, out: outputs()
///     state.reset();                      // the next frame begins another sequence
///
/// `step` calls no allocator, takes no lock and makes no system call, and threads with a state each
/// may be in it at once, while another one calls `update`.
template <class T>
class CHAINRULE_API StreamingPredictor {
 public:
  /// One sequence: what is remembered of its frames, and memory to work in. It keeps what it uses
  /// of its predictor alive, and must be used by one thread at a time.
  class StreamState {
   public:
    explicit StreamState(const StreamingPredictor& predictor) : scratch_(predictor.predictor_) {}

    /// Begins another sequence; allocates nothing.
    void reset() noexcept { scratch_.reset(); }
    /// Goes on where another state of the same predictor is, which stays as it is; allocates
    /// nothing. Throws Error for a state of another predictor.
    void copy_from(const StreamState& other) { scratch_.continue_from(other.scratch_); }

   private:
    friend class StreamingPredictor;
    typename Predictor<T>::Scratch scratch_;
  };

  /// Copies the network's weights; `link` and `quantization` are those of Predictor. Throws Error,
  /// which names the node, for a network that does not go forward frame by frame: other shapes of
  /// inputs, lengths of rows, layers that go backwards, read frames to come, skip some or use
  /// several at once. Throws StateError while another thread uses the network.
  explicit StreamingPredictor(const Network<T>& network, Loss::Link link = Loss::Link::identity,
                              const Quantization& quantization = {});

  /// Values of a frame: those of all inputs, side by side. Values that it gives, likewise.
  std::int64_t inputs() const noexcept { return predictor_.inputs(); }
  std::int64_t outputs() const noexcept { return predictor_.outputs(); }
  /// Which values of a frame may be NaN, that is missing.
  const std::vector<bool>& missing_columns() const noexcept { return predictor_.missing_columns(); }

  /// The next frame of a sequence; `out` may be its memory. `state` must be of this predictor.
  void step(const T* frame, T* out, StreamState& state) const noexcept {
    predictor_.predict(frame, out, state.scratch_);
  }
  /// A whole number of frames, one behind the other, as so many steps. Wrong sizes are the caller's
  /// error, which a build without NDEBUG asserts.
  void step(std::span<const T> frames, std::span<T> out, StreamState& state) const noexcept {
    predictor_.predict(frames, out, state.scratch_);
  }
  /// The same with sizes and state checked: throws Error where they do not fit and for `out` in the
  /// memory of later frames; writes and remembers nothing then.
  void step_checked(std::span<const T> frames, std::span<T> out, StreamState& state) const {
    predictor_.predict_checked(frames, out, state.scratch_);
  }

  /// Takes over the weights of a network of the same layers, as Predictor::update does; what states
  /// remember stays. The lengths of its time axis may differ.
  void update(const Network<T>& network);

 private:
  static Network<T> frames_of(const Network<T>& network);

  Predictor<T> predictor_;  // whose rows are frames
};

extern template class StreamingPredictor<float>;
extern template class StreamingPredictor<double>;

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cassert>
#include <cstdint>
#include <span>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/error.hpp"
#include "chainrule/export.h"
#include "chainrule/loss.hpp"
#include "chainrule/owned.hpp"
#include "chainrule/quantization.hpp"

namespace chainrule {

template <class T>
class Network;
template <class T>
class StreamingPredictor;
class Inputs;

/// Predictions for programs that must not wait: it owns a copy of a network's weights, and
/// `predict` calls no allocator, takes no lock and makes no system call. T is float or double. The
/// results have the same bits as Network::predict's, unless small weights are asked for.
///
/// Any number of threads may predict at once, each with a Scratch of its own, while another thread
/// trains the network and hands over new weights with `update`. A prediction uses one set of
/// weights from beginning to end.
///
///     Predictor<float> predictor(network);            // once
///     Predictor<float>::Scratch scratch(predictor);   // once per thread
///     predictor.predict(in, out, scratch);            // in: inputs() values, out: outputs()
///
/// `predict` is wait-free: while no update comes in it reads one atomic variable, and one that came
/// in is taken over by a single exchange. Everything that `update` wrote happens before the
/// predictions that use it, and a prediction that begins after `update` has returned uses those
/// weights or newer ones.
template <class T>
class CHAINRULE_API Predictor {
 public:
  /// What one thread needs to predict: buffers, and which weights it uses. It keeps what it uses of
  /// its predictor alive, and must be used by one thread at a time. Making and destroying one
  /// allocates, locks and waits for an `update` in progress.
  class Scratch {
   public:
    /// For `rows` rows at a time at most; more are predicted in pieces. Throws Error for rows < 1.
    explicit Scratch(const Predictor& predictor, std::int64_t rows = 1);
    Scratch(Scratch&&) noexcept;
    Scratch& operator=(Scratch&&) noexcept;
    ~Scratch();

   private:
    friend class Predictor;
    friend class StreamingPredictor<T>;
    void reset() noexcept;
    void continue_from(const Scratch& other);
    struct CHAINRULE_HIDDEN State;
    Owned<State> state_;
  };

  /// Copies the network's weights. `link` is applied to its outputs: Loss::link() turns the raw
  /// outputs that a loss compares into probabilities (softmax, sigmoid) or means (exponential); a
  /// network whose last activation is that link already is left as it is. With small weights, of
  /// float networks alone, a row costs less, since reading weights is most of it; the results have
  /// the same bits on every processor and for any number of rows. int8 takes a NaN for the smallest
  /// number. Throws StateError while another thread uses the network, and Error where the
  /// quantization does not fit it.
  explicit Predictor(const Network<T>& network, Loss::Link link = Loss::Link::identity,
                     const Quantization& quantization = {});
  Predictor(Predictor&&) noexcept;
  Predictor& operator=(Predictor&&) noexcept;
  ~Predictor();

  /// What int8 weights of the network need, from rows like those that will be predicted: the range
  /// of what enters each dense layer, but for one value of 10,000 at either end. Of many rows it
  /// takes some, at even distances. Throws Error for double, for compressed rows, where nothing
  /// finite enters a layer, and where the network has no dense layer.
  static Quantization calibrate(const Network<T>& network, const Inputs& x);

  std::int64_t inputs() const noexcept;
  std::int64_t outputs() const noexcept;
  /// Which values of a row may be NaN, that is missing.
  const std::vector<bool>& missing_columns() const noexcept;

  /// One row: reads inputs() values, writes outputs() values, which may overlap. NaN and infinities
  /// are not looked for and give outputs that may be such. `scratch` must be
  /// of this predictor. Categories are numbers of type T too; float has all of them up to 2^24.
  void predict(const T* in, T* out, Scratch& scratch) const noexcept;

  /// `rows` rows of T, which numbers of more digits have been rounded to, row i at in + i *
  /// in_stride and out + i * out_stride; the strides count values. Rows of `out` must not overlap
  /// with later rows of `in`.
  void predict(const T* in, std::int64_t in_stride, T* out, std::int64_t out_stride,
               std::int64_t rows, Scratch& scratch) const noexcept;

  /// A whole number of rows, adjacent. Wrong sizes are the caller's error, which a build without
  /// NDEBUG asserts.
  void predict(std::span<const T> in, std::span<T> out, Scratch& scratch) const noexcept {
    const std::int64_t rows = static_cast<std::int64_t>(in.size()) / inputs();
    assert(static_cast<std::int64_t>(in.size()) == rows * inputs());
    assert(static_cast<std::int64_t>(out.size()) == rows * outputs());
    predict(in.data(), inputs(), out.data(), outputs(), rows, scratch);
  }

  /// The same with every argument checked: throws Error for sizes that do not fit, for a `scratch`
  /// of another predictor, for rows of `out` in the memory of later rows of `in`, and for numbers
  /// that are none of a column's categories, which `predict` leaves out; and writes nothing then.
  void predict_checked(std::span<const T> in, std::span<T> out, Scratch& scratch) const;

  /// Takes over the weights of `network`, which must have the layers that this was made with. May
  /// allocate and wait for another `update`, never for predictions. At most two sets of weights are
  /// kept besides the one that each Scratch used last. Throws Error when the layers differ and
  /// StateError while another thread uses the network; nothing is changed then.
  void update(const Network<T>& network);

 private:
  friend class StreamingPredictor<T>;
  Predictor(const Network<T>& network, Loss::Link link, const Quantization& quantization,
            bool streams);
  struct CHAINRULE_HIDDEN State;   // which its scratches keep alive
  struct CHAINRULE_HIDDEN Shared;  // a share of it
  Owned<Shared> shared_;
};

extern template class Predictor<float>;
extern template class Predictor<double>;

}  // namespace chainrule

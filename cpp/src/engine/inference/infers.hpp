// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "chainrule/activation.hpp"
#include "kernels/table.hpp"

namespace chainrule::engine {

/// What a stage of an InferencePlan reads and writes, in memory that is one caller's alone.
template <class T>
struct InferArgs {
  std::int64_t rows;  // of x: a row of the batch has one for each of its positions
  const T* x;         // rows x inputs
  std::int64_t x_stride;
  T* y;  // rows x outputs; x itself, with its stride, for stages that work in place
  std::int64_t y_stride;
  void* scratch;  // as many bytes as the stage asked for
  // The inputs of a stage that reads several tensors, in the order of its node's inputs.
  const T* const* xs = nullptr;
  const std::int64_t* x_strides = nullptr;
};

/// A place in a sequence.
struct StreamPosition {
  std::int64_t index;         // how many positions came before it
  std::int64_t weights_from;  // the index from which on the weights are the present ones
};

/// What a stage implements that has work to do in a prediction. `infer` is const, so that any
/// number of threads may call it at once, each with arguments of its own; the stage's own tensors
/// have no meaning there.
template <class T>
class Infers {
 public:
  virtual void infer(const InferArgs<T>& args) const noexcept = 0;
  /// Whether most of what `infer` writes is zero.
  virtual bool infers_zeros() const { return false; }
  /// Whether `infer` writes its rows over those that it reads.
  virtual bool infers_in_place() const { return true; }
  /// What `infer` needs besides for x of `rows` rows; nothing of it is kept from call to call.
  virtual std::int64_t infer_scratch_bytes(std::int64_t rows) const {
    (void)rows;
    return 0;
  }

 protected:
  ~Infers() = default;
};

/// What a stage implements that keeps something from each position of a sequence for the next ones,
/// so that positions may come one by one.
template <class T>
class Streams {
 public:
  /// How many numbers it keeps, zeros before the first position; 0: `infer` is all there is to do.
  virtual std::int64_t stream_size() const = 0;
  /// What `infer` does, of the next position alone. `kept`: the numbers of this sequence.
  virtual void stream(const InferArgs<T>& args, T* kept,
                      const StreamPosition& position) const noexcept = 0;

 protected:
  ~Streams() = default;
};

/// What a stage implements that can end in an activation.
class EndsInActivation {
 public:
  /// Has all predictions of the stage do this activation as well, which comes behind it.
  virtual void fuse_activation(const Activation& next) = 0;

 protected:
  ~EndsInActivation() = default;
};

/// What a stage implements that multiplies by a matrix.
template <class T>
class InfersProduct : public EndsInActivation {
 public:
  /// What the stage does to a single row; valid as long as the parameters.
  virtual kernels::RowArgs<T> row_product() const = 0;

 protected:
  ~InfersProduct() = default;
};

}  // namespace chainrule::engine

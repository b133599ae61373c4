// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "chainrule/layer.hpp"
#include "engine/buffer.hpp"
#include "engine/inference/infers.hpp"
#include "engine/parameters.hpp"
#include "engine/stages/affine.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {

/// One caller's memory for inference of up to `rows` rows.
template <class T>
struct InferWorkspace {
  InferWorkspace(std::int64_t rows_, std::int64_t columns, std::int64_t scratch_bytes)
      : rows(rows_),
        stride(row_stride<T>(columns)),
        first(rows_ * stride),
        second(rows_ * stride),
        terms(padded<std::int32_t>(columns) + kernels::kRowAlignment<std::int32_t>),
        scratch(scratch_bytes) {}

  std::int64_t rows;
  std::int64_t stride;
  Buffer<T> first;
  Buffer<T> second;
  Buffer<std::int32_t> terms;
  Buffer<std::uint8_t> scratch;
};

/// The stages of a network for inference alone, with a copy of its weights. Between two calls of
/// `copy_from` it does not change, so that any number of threads may run rows through it.
template <class T>
class InferencePlan {
 public:
  InferencePlan(const kernels::KernelTable<T>& kernels, const std::vector<AnyLayer>& layers,
                std::int64_t inputs);

  void copy_from(const Buffer<T>& values);

  /// Memory for calls of run.
  InferWorkspace<T> buffers(std::int64_t rows) const;

  /// The last activation, linear where the network ends in something else.
  Activation::Kind last_activation() const { return last_activation_; }

  /// Runs up to buffers.rows rows, the first of which lies at `in` (strides count values), and
  /// gives their outputs, at a stride of buffers.stride values.
  T* run(const T* in, std::int64_t in_stride, std::int64_t rows,
         InferWorkspace<T>& buffers) const noexcept;

 private:
  /// A stage with what is known of it beforehand.
  struct InferOp {
    const Infers<T>* stage;
    bool in_place;
    bool zeros;       // many of its inputs may be
    bool is_product;  // of a single row, by `product`
    kernels::RowArgs<T> product;
  };

  T* run_row(const T* x, InferWorkspace<T>& buffers) const noexcept;

  const kernels::KernelTable<T>& kernels_;
  Parameters<T> parameters_;
  Stages<T> stages_;
  std::vector<AffineStage<T>*> affine_;    // those of the stages that copy_from has to refresh
  AffineStage<T>* fused_input_ = nullptr;  // applied while the rows are copied
  std::vector<InferOp> ops_;               // what is left to do then
  Activation::Kind last_activation_ = Activation::Kind::linear;
  std::int64_t inputs_;
  std::int64_t widest_;
};

}  // namespace chainrule::engine

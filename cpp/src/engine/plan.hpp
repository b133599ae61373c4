// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "chainrule/layer.hpp"
#include "chainrule/network.hpp"
#include "engine/input/batch_input.hpp"
#include "engine/plan_options.hpp"
#include "engine/stages/affine.hpp"
#include "engine/stages/stage.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {

/// A network compiled to stages over buffers that are all allocated here; any batch up to its size
/// runs through it: input().load, forward, backward, gradients. The members that take a
/// ThreadContext are called by every thread of a team.
template <class T>
class Plan {
 public:
  Plan(const kernels::KernelTable<T>& kernels, const std::vector<AnyLayer>& layers,
       Parameters<T>& parameters, std::int64_t inputs, const PlanOptions& options);

  /// Takes over what may have changed since the last run; before the team starts.
  void refresh();
  /// Decides how rows of x reach the first stage; before the team starts.
  void choose_path(const RowsView& x, InputSparsity sparsity);

  BatchInput<T>& input() { return input_; }

  void forward(ThreadContext& context, const Step<T>& step);
  void backward(ThreadContext& context, const Step<T>& step);
  /// Only after context.sync_for(Partition::columns): it reads what all threads have written.
  void gradients(ThreadContext& context, const Step<T>& step);

  /// What the loss reads, and where its gradient goes: the output, or the input of an activation
  /// that the loss contains.
  const Tensor<T>& result() const { return values_.back(); }
  const Tensor<T>& result_gradient() const { return gradients_.back(); }
  /// What a layer gave; without memory where the next one reads its nonzeros instead.
  const Tensor<T>& output_of(std::int64_t layer) const;
  const Tensor<T>& input_gradient() const { return gradients_.front(); }

  std::int64_t batch_size() const { return options_.batch_size; }
  int threads() const { return options_.threads; }

  /// The first layer whose output in rows below `rows` holds a value that is not finite; -1 if none
  /// does.
  std::int64_t first_bad_layer(std::int64_t rows) const;
  /// Not less than any number in the parameters' gradients that `gradients` would give of `rows`
  /// rows, from what forward and backward have left; may be infinite or NaN where such numbers are
  /// near.
  double gradient_bound(std::int64_t rows) const;
  PlanInfo describe() const;

 private:
  Stages<T> make_stages(const kernels::KernelTable<T>& kernels, const std::vector<AnyLayer>& layers,
                        Parameters<T>& parameters, std::int64_t inputs) const;
  std::size_t find_lowest_backward() const;
  Tensor<T> new_tensor(std::int64_t columns);
  void connect(std::int64_t inputs);
  void connect_input();

  const kernels::KernelTable<T>& kernels_;
  PlanOptions options_;
  Stages<T> stages_;
  std::vector<AffineStage<T>*> affine_;  // those of the stages that refresh() has to visit
  BatchInput<T> input_;
  std::size_t first_forward_;      // the stages below have done their work when a batch is read
  std::size_t lowest_backward_;    // no stage below needs gradients
  std::vector<Tensor<T>> values_;  // input, then each stage's output
  std::vector<Tensor<T>> gradients_;
  std::vector<Buffer<T>> buffers_;
};

}  // namespace chainrule::engine

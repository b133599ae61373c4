// SPDX-License-Identifier: Apache-2.0
#include "engine/plan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "chainrule/error.hpp"
#include "engine/cache.hpp"
#include "engine/input/gather.hpp"
#include "engine/stages/activation.hpp"
#include "model/last_activation.hpp"

namespace chainrule::engine {
template <class T>
Plan<T>::Plan(const kernels::KernelTable<T>& kernels, const std::vector<AnyLayer>& layers,
              Parameters<T>& parameters, std::int64_t inputs, const PlanOptions& options)
    : kernels_(kernels), options_(options) {
  std::int64_t columns = inputs;
  check_table_size(options.batch_size, columns, options.threads);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    check_table_size(options.batch_size, layers[i]->outputs(columns), options.threads);
    const StageContext<T> context{.kernels = kernels,
                                  .parameters = parameters,
                                  .layer = static_cast<std::int64_t>(i),
                                  .inputs = columns,
                                  .batch_size = options.batch_size,
                                  .threads = options.threads,
                                  .backward = options.backward};
    add_stages(*layers[i], context, stages_);
    columns = layers[i]->outputs(columns);
  }
  if (options.loss && !stages_.empty()) {
    const auto* last = dynamic_cast<const ActivationStage<T>*>(stages_.back().get());
    if (last && model::contains(*options.loss, last->activation())) stages_.pop_back();
  }
  if (!stages_.empty()) fused_input_ = dynamic_cast<AffineStage<T>*>(stages_[0].get());
  if (!stages_.empty() && stages_[0]->reads_rows()) {
    reader_ = stages_[0].get();
    if (!reader_->passes_gradient()) options_.input_gradient = false;
    if (stages_.size() > 1 && stages_[1]->takes_sparse())
      stages_[1]->sparse = reader_->list_entries();
    lists_entries_ = stages_.size() > 1 && stages_[1]->sparse;
  }

  lowest_backward_ = stages_.size();
  for (std::size_t i = stages_.size(); i-- > 0;) {
    if (options.backward && (options_.input_gradient || stages_[i]->has_parameters()))
      lowest_backward_ = i;
  }
  if (options_.input_gradient) lowest_backward_ = 0;
  connect(inputs, options.input_gradient);
  if (reader_) {
    first_ = lists_entries_ ? stages_[1].get() : reader_->sparse_weight() ? reader_ : nullptr;
    return;
  }
  const std::size_t first = fused_input_ ? 1 : 0;
  if (first < stages_.size() && stages_[first]->takes_sparse()) first_ = stages_[first].get();
  private_inputs_ = private_inputs_pay();
}

template <class T>
bool Plan<T>::private_inputs_pay() const {
  constexpr int few = 4;  // gathering into shared memory takes about 4 times as long
  const std::int64_t bytes =
      options_.batch_size * values_[0].stride * static_cast<std::int64_t>(sizeof(T));
  return options_.whole_steps && options_.threads > 1 && options_.threads <= few && first_ &&
         first_->partition() == Partition::columns && bytes <= cache_sizes().l2 / 2;
}

template <class T>
Tensor<T> Plan<T>::new_tensor(std::int64_t columns, int copies) {
  const std::int64_t stride = row_stride<T>(columns);
  buffers_.emplace_back(copies * padded<T>(options_.batch_size) * stride);
  return {buffers_.back().data(), columns, stride};
}

template <class T>
void Plan<T>::connect(std::int64_t inputs, bool input_gradient) {
  values_.push_back({nullptr, inputs, row_stride<T>(inputs)});
  // Where no stage writes to it, it stays zero.
  gradients_.push_back(input_gradient ? new_tensor(inputs) : Tensor<T>{});
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    Stage<T>& stage = *stages_[i];
    // A fused first stage has done its work when the rows have been gathered.
    const bool in_place = i == 0 && fused_input_;
    const bool listed = i == 0 && lists_entries_;
    const bool last = i + 1 == stages_.size();
    const bool wanted = options_.backward && (last || lowest_backward_ <= i);
    values_.push_back(in_place ? values_[0]
                      : listed ? Tensor<T>{nullptr, stage.outputs(), row_stride<T>(stage.outputs())}
                               : new_tensor(stage.outputs()));
    gradients_.push_back(wanted ? new_tensor(stage.outputs()) : Tensor<T>{});
    stage.x = values_[i];
    stage.y = values_[i + 1];
    stage.dx = lowest_backward_ < i || options_.input_gradient ? gradients_[i] : Tensor<T>{};
    stage.dy = gradients_[i + 1];
  }
}

template <class T>
void Plan<T>::refresh() {
  for (const auto& stage : stages_) {
    if (auto* affine = dynamic_cast<AffineStage<T>*>(stage.get())) affine->refresh();
  }
}

template <class T>
void Plan<T>::choose_path(const RowsView& x, InputSparsity sparsity) {
  using Reason = InputPath::Reason;
  path_.reset();
  if (fused_input_ && has_more_digits(x.type)) fused_input_->refresh_wide();
  if (reader_) {
    if (x.compressed())
      throw Error("sparse x holds no categories, which the " + reader_->describe() +
                  " layer reads");
    if (lists_entries_) path_ = path(Reason::categories, first_->sparse->density());
    return;
  }
  if (first_) {
    first_->sparse = nullptr;
    first_->mask = nullptr;
  }
  if (x.compressed()) {
    check_takes_compressed();
    const auto cells = static_cast<double>(x.rows) * static_cast<double>(x.columns);
    const double density = static_cast<double>(offset_at(x, x.rows) - offset_at(x, 0)) / cells;
    use_entries(x, density);
    path_ = path(Reason::compressed, density);
    return;
  }
  const bool automatic = sparsity == InputSparsity::automatic;
  // Nonzeros are counted in 32 bits.
  const bool countable =
      options_.batch_size <= std::numeric_limits<std::int32_t>::max() / values_[0].columns;
  if (first_ && sparsity == InputSparsity::sparse && !countable)
    throw Error("a batch of " + std::to_string(options_.batch_size) + " rows has " +
                std::to_string(values_[0].columns) +
                " columns, more than 2^31 entries to count: use a smaller batch_size, or "
                "input_sparsity \"auto\" or \"dense\"");
  make_room_for_tables();
  if (!first_) return;
  if (!countable && automatic) return;
  // For few rows the stage itself leaves out what it can.
  constexpr std::int64_t few = 4;
  if (!options_.backward && x.rows <= few && automatic) return;
  const bool dense = sparsity == InputSparsity::dense;
  const double density = dense ? std::numeric_limits<double>::quiet_NaN() : density_of_sample(x);
  path_ = path(automatic ? Reason::cheaper : Reason::asked, density);
  const bool cheaper = path_->sparse_operations < path_->dense_operations;
  path_->sparse = automatic ? cheaper : !dense;
  if (path_->sparse) use_masks(x, density);
}

template <class T>
InputPath Plan<T>::path(InputPath::Reason reason, double density) const {
  const PathCosts costs = first_->path_costs(options_.batch_size, density);
  return {true, reason, density, costs.sparse, costs.dense};
}

template <class T>
void Plan<T>::make_room_for_tables() {
  if (values_[0].data) return;
  values_[0] = new_tensor(values_[0].columns, private_inputs_ ? options_.threads : 1);
  if (stages_.empty()) return;
  if (private_inputs_)
    first_->private_x_stride = padded<T>(options_.batch_size) * values_[0].stride;
  stages_[0]->x = values_[0];
  if (!fused_input_) return;
  values_[1] = values_[0];
  stages_[0]->y = values_[0];
  if (stages_.size() > 1) stages_[1]->x = values_[0];
}

template <class T>
void Plan<T>::check_takes_sparse(const std::string& what) const {
  if (first_) return;
  const std::size_t first = fused_input_ ? 1 : 0;
  throw Error(what + " needs a dense layer first, or one behind a rescaling; here " +
              (first < stages_.size() ? stages_[first]->describe() : "none") + " comes first");
}

template <class T>
void Plan<T>::check_takes_compressed() const {
  check_takes_sparse("sparse x");
  if (!fused_input_) return;
  for (std::int64_t j = 0; j < values_[0].columns; ++j) {
    if (fused_input_->offset()[j] == T(0)) continue;
    throw Error("sparse x cannot be shifted, which would fill it with numbers: the " +
                fused_input_->describe() + " layer adds to column " + std::to_string(j));
  }
}

template <class T>
void Plan<T>::use_entries(const RowsView& x, double density) {
  std::vector<std::int64_t> offsets = SparseInput<T>::offsets_of(x);
  const std::int64_t entries = SparseInput<T>::entries_of_compressed(offsets, options_.batch_size);
  if (!sparse_ || !sparse_->has_room(entries))
    sparse_ = std::make_unique<SparseInput<T>>(kernels_, options_.batch_size, values_[0].columns,
                                               entries, options_.threads, options_.backward);
  sparse_->set_density(density);
  sparse_->set_row_offsets(std::move(offsets));
  first_->sparse = sparse_.get();
}

template <class T>
void Plan<T>::use_masks(const RowsView& x, double density) {
  const int copies = private_inputs_ ? options_.threads : 1;
  const int readers = private_inputs_ ? 1 : options_.threads;
  while (static_cast<int>(masks_.size()) < copies)
    masks_.emplace_back(kernels_, options_.batch_size, values_[0].columns, readers,
                        options_.backward);
  masks_[0].set_density(density);
  const T* values = can_keep_bytes(x) ? byte_values() : nullptr;
  for (NonzeroMask<T>& mask : masks_) mask.set_byte_values(values);
  first_->mask = masks_.data();
}

template <class T>
bool Plan<T>::can_keep_bytes(const RowsView& x) const {
  if (!options_.backward || x.type != DataType::uint8 || x.column_stride != 1) return false;
  if (!fused_input_) return true;
  const T* scale = fused_input_->scale();
  const T* offset = fused_input_->offset();
  const std::int64_t columns = values_[0].columns;
  return std::all_of(scale, scale + columns, [&](T s) { return s == scale[0]; }) &&
         std::all_of(offset, offset + columns, [](T o) { return o == T(0); });
}

template <class T>
const T* Plan<T>::byte_values() {
  const T scale = fused_input_ ? fused_input_->scale()[0] : T(1);
  if (byte_values_.empty()) byte_values_ = Buffer<T>(256);
  for (int byte = 0; byte < 256; ++byte)
    byte_values_.data()[byte] = std::fma(static_cast<T>(byte), scale, T(0));
  return byte_values_.data();
}

template <class T>
double Plan<T>::density_of_sample(const RowsView& x) {
  constexpr std::int64_t sample = 16;  // takes a tenth of a small step
  const std::int64_t rows = std::min({sample, options_.batch_size, x.rows});
  const Tensor<T>& input = values_[0];
  std::int64_t order[sample] = {};
  for (std::int64_t i = 0; i < rows; ++i) order[i] = i * x.rows / rows;
  gather(x, order, 0, rows, input.data);
  std::int64_t zeros = 0;
  for (std::int64_t i = 0; i < rows; ++i)
    zeros += std::count(input.row(i), input.row(i) + input.columns, T(0));
  return 1.0 - static_cast<double>(zeros) / static_cast<double>(rows * input.columns);
}

template <class T>
void Plan<T>::gather(const RowsView& x, const std::int64_t* order, std::int64_t first,
                     std::int64_t rows, T* to) {
  if (fused_input_) {
    gather_rows(kernels_, x, order, first, rows, fused_input_->scale(), fused_input_->offset(), to,
                values_[0].stride, fused_input_->wide());
  } else {
    gather_rows<T>(kernels_, x, order, first, rows, nullptr, nullptr, to, values_[0].stride);
  }
}

template <class T>
Range Plan<T>::loaded_rows(const RowsView& x, std::int64_t rows, ThreadSlice slice) const {
  const bool copy = private_inputs_ && !x.compressed();
  return copy ? Range{0, rows} : slice.range(rows, kernels::kRowAlignment<T>);
}

template <class T>
void Plan<T>::load(ThreadContext& context, const Step<T>& step, const RowsView& x,
                   const std::int64_t* order, std::int64_t first) {
  const ThreadSlice slice = context.slice();
  const Range rows = loaded_rows(x, step.rows, slice);
  // No other thread reads a thread's private input.
  if (!private_inputs_ || x.compressed()) context.sync_for(Partition::rows);
  if (reader_) {
    reader_->read(x, order, first, rows, slice);
    return;
  }
  if (x.compressed()) {
    sparse_->take(x, order, first, rows, fused_input_ ? fused_input_->scale() : nullptr);
    if (options_.backward) sparse_->count(rows, slice);
    return;
  }
  T* const to = values_[0].data + (private_inputs_ ? first_->private_x_stride * slice.index : 0);
  const std::int64_t stride = values_[0].stride;
  if (first_ && first_->mask && first_->mask->has_bytes()) {
    for (std::int64_t i = rows.begin; i < rows.end; ++i) {
      const std::int64_t row = order ? order[first + i] : first + i;
      first_->mask_of(slice).take(i, static_cast<const std::uint8_t*>(x.data) + row * x.row_stride);
    }
  } else if (first_ && first_->mask) {
    // Each row's mask is written while the row is in L1.
    for (std::int64_t i = rows.begin; i < rows.end; ++i) {
      gather(x, order, first + i, 1, to + i * stride);
      first_->mask_of(slice).take(i, to + i * stride);
    }
  } else {
    gather(x, order, first + rows.begin, rows.size(), to + rows.begin * stride);
  }
}

template <class T>
void Plan<T>::forward(ThreadContext& context, const Step<T>& step) {
  for (std::size_t i = fused_input_ ? 1 : 0; i < stages_.size(); ++i) {
    Stage<T>& stage = *stages_[i];
    const bool transposes = (stage.sparse || stage.mask) && options_.backward;
    if (&stage == first_ && private_inputs_) {
      context.sync_for_columns_if_needed();
    } else {
      context.sync_for(transposes ? Partition::columns : stage.partition());
    }
    stage.forward(step, context.slice());
    if (transposes && stage.sparse)
      stage.sparse->transpose(step.rows_of(context.slice()), context.slice());
    if (transposes && stage.mask)
      stage.mask_of(context.slice()).transpose(step.rows, stage.among_readers(context.slice()));
  }
  context.sync_for(Partition::rows);
}

template <class T>
void Plan<T>::backward(ThreadContext& context, const Step<T>& step) {
  for (std::size_t i = stages_.size(); i-- > lowest_backward_;) {
    context.sync_for(stages_[i]->backward_partition());
    stages_[i]->backward(step, context.slice());
  }
}

template <class T>
void Plan<T>::gradients(ThreadContext& context, const Step<T>& step) {
  for (std::size_t i = lowest_backward_; i < stages_.size(); ++i)
    stages_[i]->gradients(step, context.slice());
  if (step.update && private_inputs_ && first_updates_what_it_reads(context.slice().count))
    context.allow_barrier_skip();
}

template <class T>
bool Plan<T>::first_updates_what_it_reads(int threads) const {
  const std::size_t next = fused_input_ ? 2 : 1;
  const bool read = next < stages_.size() && stages_[next]->has_parameters();  // its gradients read
  return !read && first_->updates_what_it_reads(threads);
}

template <class T>
const Tensor<T>& Plan<T>::output_of(std::int64_t layer) const {
  std::size_t after = 0;
  while (after < stages_.size() && stages_[after]->layer <= layer) ++after;
  return values_[after];
}

template <class T>
std::int64_t Plan<T>::first_bad_layer(std::int64_t rows) const {
  // Byte inputs are never non-finite and have no float copy.
  const bool bytes = first_ && first_->mask && first_->mask->has_bytes();
  for (std::size_t i = fused_input_ && bytes ? 1 : 0; i < stages_.size(); ++i) {
    for (std::int64_t r = 0; r < rows && values_[i + 1].data; ++r) {
      for (std::int64_t j = 0; j < values_[i + 1].columns; ++j) {
        if (!std::isfinite(values_[i + 1].row(r)[j])) return stages_[i]->layer;
      }
    }
  }
  return -1;
}

template <class T>
PlanInfo Plan<T>::describe() const {
  PlanInfo info{options_.threads, {}, path_};
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const Stage<T>& stage = *stages_[i];
    const Cost cost = stage.cost(options_.batch_size);
    const bool fused = i == 0 && (fused_input_ || lists_entries_);
    info.stages.push_back({stage.describe(),
                           fused                                     ? "fused"
                           : stage.partition() == Partition::columns ? "columns"
                                                                     : "rows",
                           cost.operations, fused ? 0.0 : cost.bytes});
  }
  return info;
}

template class Plan<float>;
template class Plan<double>;

}  // namespace chainrule::engine

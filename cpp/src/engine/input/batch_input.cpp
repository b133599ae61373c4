// SPDX-License-Identifier: Apache-2.0
// From the caller's rows to what the first stage reads:
//
//   rows of numbers      gather_rows: convert, scale            x_            any stage
//                        and a mask of each row                 x_, masks_    TakesNonzeros
//   images to augment    convert, ImageAugmenter, scale         x_            any stage
//   rows of bytes        copied as bytes, with a mask           masks_        TakesNonzeros
//   compressed rows      SparseInput::take: convert, scale      lists_        TakesNonzeros
//                        written out, row by row                x_            several stages
//   rows of categories   ReadsRows::read                        the stage's   the stage itself
#include "engine/input/batch_input.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "chainrule/error.hpp"
#include "engine/cache.hpp"
#include "engine/input/gather.hpp"

namespace chainrule::engine {

// stages: up to two, each the only reader of what the one before gives. An AffineStage is applied
// while gathering, so the stage behind it is the first that has work left. A reader lists nonzeros
// if the stage behind it takes lists; where it cannot, that stage gets a table.
template <class T>
BatchInput<T>::BatchInput(const kernels::KernelTable<T>& kernels, const PlanOptions& options,
                          std::int64_t columns, const std::vector<Stage<T>*>& readers,
                          const std::vector<FirstStage<T>>& stages)
    : kernels_(kernels), options_(options), x_{nullptr, columns, row_stride<T>(columns)} {
  for (Stage<T>* stage : readers) {
    auto* reads = dynamic_cast<ReadsRows<T>*>(stage);
    if (reads && (stages.empty() || stage != stages[0].stage)) among_.push_back(reads);
    passes_gradient_ |= !reads || reads->passes_gradient();
  }
  if (stages.empty()) return;
  affine_ = dynamic_cast<AffineStage<T>*>(stages[0].stage);
  reader_ = dynamic_cast<ReadsRows<T>*>(stages[0].stage);
  if (!affine_) first_ = stages[0].stage;
  const std::size_t first = affine_ || reader_ ? 1 : 0;
  if (first == stages.size()) return;
  if (affine_) first_ = stages[1].stage;
  taker_ = dynamic_cast<TakesNonzeros<T>*>(stages[first].stage);
  if (reader_ && taker_) {
    taker_->sparse = reader_->list_entries();
    lists_entries_ = taker_->sparse != nullptr;
    if (!lists_entries_) taker_ = nullptr;
  }
  if (!taker_) return;
  fed_ = stages[first].stage;
  output_read_in_gradients_ = stages[first].output_read_in_gradients;
  private_inputs_ = private_inputs_pay();
}

/// Where all threads read all rows, it costs less that every thread gathers a copy of them than to
/// read what another processor's cache holds, and to wait for it.
template <class T>
bool BatchInput<T>::private_inputs_pay() const {
  constexpr int few = 4;  // gathering into shared memory takes about 4 times as long
  const std::int64_t bytes = options_.batch_size * x_.stride * static_cast<std::int64_t>(sizeof(T));
  return !reader_ && options_.whole_steps && options_.threads > 1 && options_.threads <= few &&
         fed_->partition() == Partition::columns && bytes <= cache_sizes().l2 / 2;
}

// Each image is worked on once, so no thread has a copy of all of them.
template <class T>
void BatchInput<T>::augment(const Node& node, std::size_t number) {
  if (!is_image(node.shape)) return;
  const Augmentations own = of_input(options_.augment, node.name);
  if (own.empty()) return;
  augmenter_.emplace(kernels_, own, node.shape, number, options_.threads);
  private_inputs_ = false;
}

template <class T>
void BatchInput<T>::check_takes_sparse(const std::string& what) const {
  if (taker_ || (reader_ && reader_->sparse_weight())) return;
  throw Error(what + " needs a dense layer first, or one behind a rescaling; here " +
              (first_ ? first_->describe() + " comes first" : "no layer alone reads x"));
}

// x may be of another kind in each call. Room that a path needs is taken once and kept. The paths
// leave out terms that are zero, which changes no sum but for the sign of one that is 0.
template <class T>
void BatchInput<T>::choose_path(const RowsView& x, InputSparsity sparsity) {
  using Reason = InputPath::Reason;
  path_.reset();
  if (affine_ && has_more_digits(x.type)) affine_->refresh_wide();
  if (reader_) {
    if (x.compressed())
      throw Error("sparse x holds no categories, which the " + first_->describe() + " layer reads");
    if (lists_entries_) path_ = path_for(Reason::categories, taker_->sparse->density());
    return;
  }
  if (taker_) {
    taker_->sparse = nullptr;
    taker_->mask = nullptr;
  }
  if (x.compressed()) {
    if (augmenter_) throw Error("sparse x holds no images, which could be augmented");
    if (!among_.empty()) throw Error("sparse x holds no categories, which several layers read");
    check_takes_compressed();
    if (expands()) {
      SparseInput<T>::offsets_of(x);  // checks them
      make_room_for_tables();
      if (expanded_.empty()) expanded_ = Buffer<double>(options_.threads * x_.columns);
      rows_changed_ = false;
      return;
    }
    const auto cells = static_cast<double>(x.rows) * static_cast<double>(x.columns);
    const double density = static_cast<double>(offset_at(x, x.rows) - offset_at(x, 0)) / cells;
    use_lists(x, density);
    path_ = path_for(Reason::compressed, density);
    return;
  }
  const bool automatic = sparsity == InputSparsity::automatic;
  // Nonzeros are counted in 32 bits.
  const auto countable = [&] {
    return options_.batch_size <= std::numeric_limits<std::int32_t>::max() / x_.columns;
  };
  if (taker_ && sparsity == InputSparsity::sparse && !countable())
    throw Error("a batch of " + std::to_string(options_.batch_size) + " rows has " +
                std::to_string(x_.columns) +
                " columns, more than 2^31 entries to count: use a smaller batch_size, or "
                "input_sparsity \"auto\" or \"dense\"");
  make_room_for_tables();
  if (!taker_) return;
  // Where there are few rows the stage itself skips zeros.
  constexpr std::int64_t few = 4;
  if (!options_.backward && x.rows <= few && automatic) return;
  if (automatic && !countable()) return;
  const bool dense = sparsity == InputSparsity::dense;
  const double density = dense ? std::numeric_limits<double>::quiet_NaN() : density_of_sample(x);
  path_ = path_for(automatic ? Reason::cheaper : Reason::asked, density);
  const bool cheaper = path_->sparse_operations < path_->dense_operations;
  path_->sparse = automatic ? cheaper : !dense;
  if (path_->sparse) use_masks(x, density);
}

// The costs are those of a whole batch, whatever the last one of an epoch has.
template <class T>
InputPath BatchInput<T>::path_for(InputPath::Reason reason, double density) const {
  const PathCosts costs = taker_->path_costs(options_.batch_size, density);
  return {true, reason, density, costs.sparse, costs.dense};
}

template <class T>
const Parameter* BatchInput<T>::sparse_weight() const {
  if (reader_ && !lists_entries_) return reader_->sparse_weight();
  return taker_ && taker_->sparse ? taker_->sparse_weight() : nullptr;
}

// x_: (threads, if each has a copy, x) padded batch size x stride. The copies lie one behind the
// other at private_x_stride.
template <class T>
void BatchInput<T>::make_room_for_tables() {
  if (x_.data) return;
  const std::int64_t size = padded<T>(options_.batch_size) * x_.stride;
  memory_ = Buffer<T>((private_inputs_ ? options_.threads : 1) * size);
  x_.data = memory_.data();
  if (private_inputs_) taker_->private_x_stride = size;
}

// A scale leaves zeros zero; an offset does not.
template <class T>
void BatchInput<T>::check_takes_compressed() const {
  if (!expands()) check_takes_sparse("sparse x");
  if (!affine_) return;
  for (std::int64_t j = 0; j < x_.columns; ++j) {
    if (affine_->offset()[j] == T(0)) continue;
    throw Error("sparse x cannot be shifted, which would fill it with numbers: the " +
                affine_->describe() + " layer adds to column " + std::to_string(j));
  }
}

// The lists have room for the longest rows of x, whichever of them a batch takes, so they are made
// anew only where those of another x are longer.
template <class T>
void BatchInput<T>::use_lists(const RowsView& x, double density) {
  std::vector<std::int64_t> offsets = SparseInput<T>::offsets_of(x);
  const std::int64_t entries = SparseInput<T>::entries_of_compressed(offsets, options_.batch_size);
  if (!lists_ || !lists_->has_room(entries))
    lists_ = std::make_unique<SparseInput<T>>(kernels_, options_.batch_size, x_.columns, entries,
                                              options_.threads, options_.backward);
  lists_->set_density(density);
  lists_->set_row_offsets(std::move(offsets));
  taker_->sparse = lists_.get();
}

// masks_: one that all threads read, or one for each thread's copy of x. The density is asked of
// the first alone.
template <class T>
void BatchInput<T>::use_masks(const RowsView& x, double density) {
  const int copies = private_inputs_ ? options_.threads : 1;
  const int readers = private_inputs_ ? 1 : options_.threads;
  while (static_cast<int>(masks_.size()) < copies)
    masks_.emplace_back(kernels_, options_.batch_size, x_.columns, readers, options_.backward);
  masks_[0].set_density(density);
  const T* values = can_keep_bytes(x) ? byte_values() : nullptr;
  for (NonzeroMask<T>& mask : masks_) mask.set_byte_values(values);
  taker_->mask = masks_.data();
}

/// Whether each entry of x is a byte that stands for one number, wherever it is.
template <class T>
bool BatchInput<T>::can_keep_bytes(const RowsView& x) const {
  if (!options_.backward || augmenter_ || x.type != DataType::uint8 || x.column_stride != 1)
    return false;
  if (!affine_) return true;
  const T* scale = affine_->scale();
  const T* offset = affine_->offset();
  return std::all_of(scale, scale + x_.columns, [&](T s) { return s == scale[0]; }) &&
         std::all_of(offset, offset + x_.columns, [](T o) { return o == T(0); });
}

// The multiply-add is that of gathering, so that bytes give the bits of numbers.
template <class T>
const T* BatchInput<T>::byte_values() {
  const T scale = affine_ ? affine_->scale()[0] : T(1);
  if (byte_values_.empty()) byte_values_ = Buffer<T>(256);
  for (int byte = 0; byte < 256; ++byte)
    byte_values_.data()[byte] = std::fma(static_cast<T>(byte), scale, T(0));
  return byte_values_.data();
}

// Rows at equal distances over all of x are gathered into x_, which the first batch overwrites.
// They are scaled as in a batch: an offset leaves few zeros.
template <class T>
double BatchInput<T>::density_of_sample(const RowsView& x) {
  constexpr std::int64_t sample = 16;  // takes a tenth of a small step
  const std::int64_t rows = std::min({sample, options_.batch_size, x.rows});
  std::int64_t order[sample] = {};
  for (std::int64_t i = 0; i < rows; ++i) order[i] = i * x.rows / rows;
  Step<T> step;
  step.places = {order};
  read(step, x, {order}, {0, rows}, x_.data, 0);
  std::int64_t zeros = 0;
  for (std::int64_t i = 0; i < rows; ++i)
    zeros += std::count(x_.row(i), x_.row(i) + x_.columns, T(0));
  return 1.0 - static_cast<double>(zeros) / static_cast<double>(rows * x_.columns);
}

template <class T>
Range BatchInput<T>::loaded_rows(const RowsView& x, std::int64_t rows, ThreadSlice slice) const {
  const bool copy = private_inputs_ && !x.compressed();
  return copy ? Range{0, rows} : slice.range(rows, kernels::kRowAlignment<T>);
}

// source: the caller's rows x columns of any type and strides, to: rows x columns of T
template <class T>
void BatchInput<T>::gather(const RowsView& x, RowOrder order, std::int64_t rows, T* to) {
  if (affine_) {
    gather_rows(kernels_, x, order, rows, affine_->scale(), affine_->offset(), to, x_.stride,
                affine_->wide());
  } else {
    gather_rows<T>(kernels_, x, order, rows, nullptr, nullptr, to, x_.stride);
  }
}

// The images are augmented as the caller has them, and then scaled.
// x: the caller's rows, to: rows x columns, of which the thread reads those in `rows`
template <class T>
void BatchInput<T>::read(const Step<T>& step, const RowsView& x, RowOrder order, Range rows, T* to,
                         int thread) {
  if (!augmenter_)
    return gather(x, order.after(rows.begin), rows.size(), to + rows.begin * x_.stride);
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    T* const image = to + i * x_.stride;
    gather_rows<T>(kernels_, x, order.after(i), 1, nullptr, nullptr, image, x_.stride);
    augmenter_->augment(image, {step.seed, step.epoch, step.places[i]}, thread);
    if (affine_)
      kernels_.affine(image, affine_->scale(), affine_->offset(), image, 1, x_.columns, x_.stride);
  }
}

// x: the caller's rows x columns; row i of the batch is row order[i] of x. A thread loads rows of
// its own slice of the batch, or all of them into its copy. Before it writes to memory that others
// read, it waits where these may still be at the last batch, whose gradients read all rows.
template <class T>
void BatchInput<T>::load(ThreadContext& context, const Step<T>& step, const RowsView& x,
                         RowOrder order) {
  const ThreadSlice slice = context.slice();
  const Range rows = loaded_rows(x, step.rows, slice);
  // No other thread reads a thread's private input.
  if (!private_inputs_ || x.compressed()) context.sync_for(Partition::rows);
  if (reader_) return reader_->read(x, order, rows, slice);
  if (x.compressed() && expands()) return load_expanded(rows, x, order, slice);
  if (x.compressed()) {
    lists_->take(x, order, rows, affine_ ? affine_->scale() : nullptr);
    if (options_.backward) lists_->count(rows, slice);
    return;
  }
  T* const to = x_.data + (private_inputs_ ? taker_->private_x_stride * slice.index : 0);
  if (taker_ && taker_->mask) {
    load_masked(step, rows, x, order, slice, to);
  } else {
    read(step, x, order, rows, to, slice.index);
  }
  for (ReadsRows<T>* reads : among_) reads->read(x, order, rows, slice);
}

// Each row is written out in the caller's type and gathered from there, so that it has the bits of
// a table's row.
// x: compressed rows x columns, x_: rows x columns
template <class T>
void BatchInput<T>::load_expanded(Range rows, const RowsView& x, RowOrder order,
                                  ThreadSlice slice) {
  with_types(x, [&]<class V, class I>(const V* values, const I* indices) {
    V* const row = reinterpret_cast<V*>(expanded_.data() + slice.index * x_.columns);
    RowsView table;
    table.data = row;
    table.type = x.type;
    table.rows = 1;
    table.columns = x_.columns;
    table.row_stride = x_.columns * static_cast<std::int64_t>(sizeof(V));
    table.column_stride = sizeof(V);
    for (std::int64_t i = rows.begin; i < rows.end; ++i) {
      const StoredRange stored(x, order[i]);
      std::fill_n(row, x_.columns, V(0));
      std::int64_t before = -1;
      for (std::int64_t at = stored.begin; at < stored.end; ++at) {
        const std::int64_t column = read_once(indices, at);
        if (column <= before || column >= x_.columns) {
          __atomic_store_n(&rows_changed_, true, __ATOMIC_RELAXED);
          continue;
        }
        row[column] = values[at];
        before = column;
      }
      gather(table, {}, 1, x_.data + i * x_.stride);
    }
  });
}

// mask: rows x words of 64 columns, a bit a nonzero; the values go to `to`, rows x columns, or stay
// bytes in the mask's own rows
template <class T>
void BatchInput<T>::load_masked(const Step<T>& step, Range rows, const RowsView& x, RowOrder order,
                                ThreadSlice slice, T* to) {
  NonzeroMask<T>& mask = taker_->mask_of(slice);
  if (mask.has_bytes()) {
    const auto* bytes = static_cast<const std::uint8_t*>(x.data);
    for (std::int64_t i = rows.begin; i < rows.end; ++i)
      mask.take(i, bytes + order[i] * x.row_stride);
    return;
  }
  // Each row's mask is written while the row is in L1.
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    read(step, x, order, {i, i + 1}, to, slice.index);
    mask.take(i, to + i * x_.stride);
  }
}

template <class T>
void BatchInput<T>::sync_for(ThreadContext& context, Partition partition) const {
  if (private_inputs_) {
    context.sync_for_columns_if_needed();
  } else {
    // Transposing reads the rows of all threads.
    context.sync_for(needs_transpose() ? Partition::columns : partition);
  }
}

template <class T>
void BatchInput<T>::transpose(const Step<T>& step, ThreadSlice slice) {
  if (!needs_transpose()) return;
  if (taker_->sparse) taker_->sparse->transpose(step.rows_of(slice), slice);
  if (taker_->mask) taker_->mask_of(slice).transpose(step.rows, taker_->among_readers(slice));
}

template <class T>
bool BatchInput<T>::can_skip_barrier(int threads) const {
  return private_inputs_ && !output_read_in_gradients_ && taker_->updates_what_it_reads(threads);
}

template <class T>
bool BatchInput<T>::changed() const {
  return rows_changed_ || (lists_ && taker_->sparse == lists_.get() && lists_->changed());
}

// Rows of bytes are bounded as if each byte were 255.
template <class T>
double BatchInput<T>::norm(std::int64_t rows) const {
  if (taker_->sparse) return taker_->sparse->norm(rows);
  const T last = byte_values_.data()[255];
  return std::abs(double{last}) * std::sqrt(static_cast<double>(rows * x_.columns));
}

template <class T>
void BatchInput<T>::check_unchanged() const {
  if (changed())
    throw Error(
        "sparse x was changed while it was read: it has other offsets, or column indices out of "
        "range or out of order");
}

template class BatchInput<float>;
template class BatchInput<double>;

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
// Each column of categories becomes as many columns as it has categories, of which one is 1:
//
//   x: rows x inputs        2 | 0           categories of (3, 2)
//   y: rows x outputs       0 0 1 | 1 0     one_hot
//
// In the modes multi_hot and count all columns share one block of outputs. Nearly all of y is zero,
// so a dense stage behind takes lists of the nonzeros and y is not written.
#include <algorithm>

#include "chainrule/layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/input/categories.hpp"
#include "engine/input/gather.hpp"
#include "engine/input/reads_rows.hpp"
#include "engine/input/sparse_input.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

using OutputMode = CategoryEncoding::OutputMode;

/// The columns of x, each with the first of the outputs that its categories are.
std::vector<CategoryColumn> columns_of(const CategoryEncoding& encoding, std::int64_t inputs) {
  std::vector<CategoryColumn> columns;
  std::int64_t first = 0;
  for (const std::int64_t count : encoding.categories(inputs)) {
    columns.push_back({static_cast<std::int64_t>(columns.size()), count, first});
    if (encoding.output_mode == OutputMode::one_hot) first += count;
  }
  return columns;
}

template <class T>
class CategoryEncodingStage final : public Stage<T>, public ReadsRows<T>, public Infers<T> {
 public:
  CategoryEncodingStage(const StageContext<T>& c, const CategoryEncoding& encoding)
      : kernels_(c.kernels),
        columns_(columns_of(encoding, c.inputs)),
        mode_(encoding.output_mode),
        outputs_(encoding.output_shape({c.inputs}).columns()),
        rows_(c.rows),
        threads_(c.threads),
        backward_(c.backward),
        indices_(padded<std::int32_t>(inputs()) * c.threads) {}

  std::string describe() const override {
    return "category_encoding " + std::to_string(inputs()) + " -> " + std::to_string(outputs_);
  }
  std::int64_t outputs() const override { return outputs_; }
  bool passes_gradient() const override { return false; }

  /// From now on `read` lists. A row has at most an entry for each of its columns, so each row's
  /// list lies at a fixed place and threads need no offsets from each other.
  SparseInput<T>* list_entries() override {
    entries_ = std::make_unique<SparseInput<T>>(kernels_, rows_, outputs_, rows_ * room_of_row(),
                                                threads_, backward_);
    entries_->set_density(
        std::min(1.0, static_cast<double>(inputs()) / static_cast<double>(outputs_)));
    return entries_.get();
  }

  // source: rows x inputs, one category an entry; y: rows x outputs, or its nonzeros as lists. Each
  // thread reads its rows where the caller has them. For the gradient it counts what it has listed,
  // from which `transpose` makes the lists by column.
  void read(const RowsView& source, RowOrder order, Range rows, ThreadSlice slice) override {
    for (std::int64_t i = rows.begin; i < rows.end; ++i) {
      prefetch_row(source, order, i, rows);
      if (entries_) {
        list(source, order[i], entries_->begin_row(i, i * room_of_row()));
      } else {
        fill(source, order[i], indices_.data() + padded<std::int32_t>(inputs()) * slice.index,
             this->y.row(i));
      }
    }
    if (entries_ && backward_) entries_->count(rows, slice);
  }

  /// `read` has filled y, and no gradient passes through categories.
  void forward(const Step<T>&, ThreadContext&) override {}
  void backward(const Step<T>&, ThreadContext&) override {}

  // x: rows x inputs, categories as numbers of T; y: rows x outputs, written out
  void infer(const InferArgs<T>& p) const noexcept override {
    constexpr auto size = static_cast<std::int64_t>(sizeof(T));
    RowsView source = view(p.x, p.rows, inputs());
    source.row_stride = p.x_stride * size;
    for (std::int64_t i = 0; i < p.rows; ++i)
      fill(source, i, static_cast<std::int32_t*>(p.scratch), p.y + i * p.y_stride);
  }
  bool infers_zeros() const override { return true; }
  bool infers_in_place() const override { return false; }
  std::int64_t infer_scratch_bytes(std::int64_t) const override {
    return inputs() * static_cast<std::int64_t>(sizeof(std::int32_t));
  }

 private:
  std::int64_t inputs() const { return static_cast<std::int64_t>(columns_.size()); }
  std::int64_t room_of_row() const { return inputs() + 1; }

  /// The entries of a row, whose columns must rise.
  /// In one_hot the indices rise as they come; otherwise they are sorted, and equal ones become one
  /// entry. The list is made in place: it never gets ahead of what is read. Numbers that are no
  /// category (kNoColumn, which sorts last) are left out.
  void list(const RowsView& source, std::int64_t row, EntriesOfRow<T> to) const {
    std::int32_t* const begin = to.columns;
    std::int32_t* end = begin + inputs();
    read_categories(source, row, columns_, begin);
    if (mode_ != OutputMode::one_hot) std::sort(begin, end);
    std::int32_t* last = begin;
    T* value = to.values;
    for (const std::int32_t* index = begin; index < end; ++index) {
      if (*index == kernels::kNoColumn) continue;
      if (last > begin && last[-1] == *index) {
        if (mode_ == OutputMode::count) value[-1] += T(1);
        continue;
      }
      *last++ = *index;
      *value++ = T(1);
    }
    *last = kernels::kNoColumn;
  }

  /// The whole row, with its zeros.
  void fill(const RowsView& source, std::int64_t row, std::int32_t* indices, T* to) const {
    read_categories(source, row, columns_, indices);
    std::fill_n(to, outputs_, T(0));
    for (std::int64_t j = 0; j < inputs(); ++j) {
      if (indices[j] == kernels::kNoColumn) continue;
      T& value = to[indices[j]];
      value = mode_ == OutputMode::count ? value + T(1) : T(1);
    }
  }

  const kernels::KernelTable<T>& kernels_;
  std::vector<CategoryColumn> columns_;
  OutputMode mode_;
  std::int64_t outputs_;
  std::int64_t rows_;
  int threads_;
  bool backward_;
  Buffer<std::int32_t> indices_;  // of a row, for each thread
  std::unique_ptr<SparseInput<T>> entries_;
};

}  // namespace

template <class T>
void add_category_encoding(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  stages.push_back(std::make_unique<CategoryEncodingStage<T>>(
      context, dynamic_cast<const CategoryEncoding&>(layer)));
}

CHAINRULE_INSTANTIATE_FACTORY(add_category_encoding)

}  // namespace chainrule::engine

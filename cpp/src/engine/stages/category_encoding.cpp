// SPDX-License-Identifier: Apache-2.0
// Each column of categories becomes as many columns as it has categories, of which one is 1; others
// pass as they are:
//
//   x: rows x inputs        2 | 0.5 | 0           categories of (3, none, 2)
//   y: rows x outputs       0 0 1 | 0.5 | 1 0     one_hot; multi_hot and count put all into the
//                                                 columns of the first
//
// Where there are categories alone nearly all of y is zero, so a dense stage behind takes lists of
// the nonzeros and y is not written.
#include <algorithm>

#include "chainrule/layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/input/categories.hpp"
#include "engine/input/gather.hpp"
#include "engine/input/passing_columns.hpp"
#include "engine/input/reads_rows.hpp"
#include "engine/input/sparse_input.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

using OutputMode = CategoryEncoding::OutputMode;

/// The columns of x, each with the first of its outputs.
struct Layout {
  std::vector<CategoryColumn> categories;
  PassingColumns passing;

  Layout(const CategoryEncoding& encoding, std::int64_t inputs) {
    const std::vector<std::int64_t> counts = encoding.categories(inputs);
    const std::vector<std::int64_t> widths = encoding.widths(inputs);
    const bool shared = encoding.output_mode != OutputMode::one_hot;
    std::int64_t output = 0;
    std::int64_t common = -1;  // the first output of all, where they share them
    for (std::int64_t j = 0; j < inputs; ++j) {
      const std::int64_t count = counts[static_cast<std::size_t>(j)];
      if (count == 0) {
        passing.add(j, output);
      } else {
        if (common < 0) common = output;
        const bool sign = encoding.binary_as_sign && count == 2;
        CategoryColumn column =
            CategoryColumn::of(encoding, j, count, shared ? common : output, sign ? 1 : count);
        column.sign = sign;
        categories.push_back(column);
      }
      output += widths[static_cast<std::size_t>(j)];
    }
  }
};

template <class T>
class CategoryEncodingStage final : public Stage<T>, public ReadsRows<T>, public Infers<T> {
 public:
  CategoryEncodingStage(const StageContext<T>& c, const CategoryEncoding& encoding)
      : kernels_(c.kernels),
        layout_(encoding, c.inputs),
        inputs_(c.inputs),
        mode_(encoding.output_mode),
        outputs_(encoding.output_shape({c.inputs}).columns()),
        rows_(c.rows),
        threads_(c.threads),
        backward_(c.backward),
        indices_(padded<std::int32_t>(held()) * c.threads) {}

  std::string describe() const override {
    return "category_encoding " + std::to_string(inputs_) + " -> " + std::to_string(outputs_);
  }
  std::int64_t outputs() const override { return outputs_; }
  bool passes_gradient() const override { return !layout_.passing.empty(); }

  /// From now on `read` lists. A row has at most an entry for each of its columns, so each row's
  /// list lies at a fixed place and threads need no offsets from each other.
  SparseInput<T>* list_entries() override {
    if (!layout_.passing.empty()) return nullptr;
    entries_ = std::make_unique<SparseInput<T>>(kernels_, rows_, outputs_, rows_ * room_of_row(),
                                                threads_, backward_);
    entries_->set_density(
        std::min(1.0, static_cast<double>(held()) / static_cast<double>(outputs_)));
    return entries_.get();
  }

  // source: rows x inputs; y: rows x outputs, or its nonzeros as lists. Each
  // thread reads its rows where the caller has them. For the gradient it counts what it has listed,
  // from which `transpose` makes the lists by column.
  void read(const RowsView& source, RowOrder order, Range rows, ThreadSlice slice) override {
    for (std::int64_t i = rows.begin; i < rows.end; ++i) {
      prefetch_row(source, order, i, rows);
      if (entries_) {
        list(source, order[i], entries_->begin_row(i, i * room_of_row()));
      } else {
        fill(source, order[i], indices_.data() + padded<std::int32_t>(held()) * slice.index,
             this->y.row(i));
      }
    }
    if (!entries_)
      layout_.passing.gather(kernels_, source, order.after(rows.begin), rows.size(),
                             this->y.row(rows.begin), this->y.stride);
    if (entries_ && backward_) entries_->count(rows, slice);
  }

  /// `read` has filled y.
  void forward(const Step<T>&, ThreadContext&) override {}
  // dy: rows x outputs, dx: rows x inputs, zero in columns of categories
  void backward(const Step<T>& step, ThreadContext& context) override {
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, context.slice());
    for (std::int64_t i = rows.begin; i < rows.end; ++i)
      layout_.passing.copy_back(this->dy.row(i), this->dx.row(i), inputs_);
  }

  // x: rows x inputs, categories as numbers of T; y: rows x outputs, written out
  void infer(const InferArgs<T>& p) const noexcept override {
    constexpr auto size = static_cast<std::int64_t>(sizeof(T));
    RowsView source = view(p.x, p.rows, inputs_);
    source.row_stride = p.x_stride * size;
    for (std::int64_t i = 0; i < p.rows; ++i) {
      fill(source, i, static_cast<std::int32_t*>(p.scratch), p.y + i * p.y_stride);
      layout_.passing.copy(p.x + i * p.x_stride, p.y + i * p.y_stride);
    }
  }
  bool infers_zeros() const override { return true; }
  bool infers_in_place() const override { return false; }
  std::int64_t infer_scratch_bytes(std::int64_t) const override {
    return held() * static_cast<std::int64_t>(sizeof(std::int32_t));
  }

 private:
  /// How many columns hold categories.
  std::int64_t held() const { return static_cast<std::int64_t>(layout_.categories.size()); }
  std::int64_t room_of_row() const { return held() + 1; }

  /// The entries of a row, whose columns must rise.
  /// In one_hot the indices rise as they come; otherwise they are sorted, and equal ones become one
  /// entry. The list is made in place: it never gets ahead of what is read. Numbers that are no
  /// category (kNoColumn, which sorts last) are left out.
  void list(const RowsView& source, std::int64_t row, EntriesOfRow<T> to) const {
    std::int32_t* const begin = to.columns;
    std::int32_t* end = begin + held();
    read_categories(source, row, layout_.categories, begin);
    if (mode_ != OutputMode::one_hot) std::sort(begin, end);
    std::int32_t* last = begin;
    T* value = to.values;
    for (const std::int32_t* index = begin; index < end; ++index) {
      if (*index == kernels::kNoColumn) continue;
      if (last > begin && last[-1] == *index) {
        if (mode_ == OutputMode::count) value[-1] += T(1);
        continue;
      }
      *value++ = *index < 0 ? T(-1) : T(1);
      *last++ = *index < 0 ? ~*index : *index;
    }
    *last = kernels::kNoColumn;
  }

  /// The whole row, with its zeros.
  void fill(const RowsView& source, std::int64_t row, std::int32_t* indices, T* to) const {
    read_categories(source, row, layout_.categories, indices);
    std::fill_n(to, outputs_, T(0));
    for (std::int64_t j = 0; j < held(); ++j) {
      if (indices[j] == kernels::kNoColumn) continue;
      if (indices[j] < 0) {
        to[~indices[j]] = T(-1);
        continue;
      }
      T& value = to[indices[j]];
      value = mode_ == OutputMode::count ? value + T(1) : T(1);
    }
  }

  const kernels::KernelTable<T>& kernels_;
  Layout layout_;
  std::int64_t inputs_;
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

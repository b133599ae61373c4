// SPDX-License-Identifier: Apache-2.0
// For each column of categories the row of a table that its category names; numbers stay as they
// are:
//
//   x: rows x inputs        category | number | category
//   y: rows x outputs       vector of the first | vector of the other | number
//
// The tables lie one after the other in one matrix, (categories of all columns) x (output_dim),
// unless all columns share one. A batch names few of the rows, and its gradient goes by category
// through lists of the entries, so that others cost nothing.
#include <algorithm>

#include "chainrule/layers.hpp"
#include "engine/inference/infers.hpp"
#include "engine/input/categories.hpp"
#include "engine/input/gather.hpp"
#include "engine/input/passing_columns.hpp"
#include "engine/input/reads_rows.hpp"
#include "engine/input/sparse_input.hpp"
#include "engine/optimizer/active_rows.hpp"
#include "engine/stages/stages.hpp"
#include "model/categories.hpp"

namespace chainrule::engine {
namespace {

/// The columns of categories in the order of the outputs, each with the first row of its table.
std::vector<CategoryColumn> columns_of(const Embedding& embedding, std::int64_t inputs) {
  const std::vector<std::int64_t> counts = embedding.categories(inputs);
  const bool shared = embedding.num_embeddings.size() == 1;
  std::vector<CategoryColumn> columns;
  std::int64_t first = 0;
  for (const std::int64_t column : embedding.category_columns(inputs)) {
    const std::int64_t count = counts[static_cast<std::size_t>(column)];
    columns.push_back(CategoryColumn::of(embedding, column, count, first, count));
    if (!shared) first += count + model::more_codes(embedding);
  }
  return columns;
}

PassingColumns passing(const Embedding& embedding, std::int64_t inputs) {
  const std::vector<std::int64_t> counts = embedding.categories(inputs);
  PassingColumns columns;
  std::int64_t output =
      embedding.output_shape({inputs}).columns() - std::count(counts.begin(), counts.end(), 0);
  for (std::int64_t column = 0; column < inputs; ++column)
    if (counts[static_cast<std::size_t>(column)] == 0) columns.add(column, output++);
  return columns;
}

template <class T>
class EmbeddingStage final : public Stage<T>, public ReadsRows<T>, public Infers<T> {
 public:
  EmbeddingStage(const StageContext<T>& c, const Embedding& embedding)
      : kernels_(c.kernels),
        parameters_(c.parameters),
        weight_(c.parameters.find(c.owner, "weight")),
        columns_(columns_of(embedding, c.inputs)),
        passing_(passing(embedding, c.inputs)),
        inputs_(c.inputs),
        outputs_(embedding.output_shape({c.inputs}).columns()),
        categories_(c.rows * embedded()) {
    if (!c.backward) return;
    entries_ = std::make_unique<SparseInput<T>>(c.kernels, c.rows, weight_->shape.rows,
                                                c.rows * room_of_row(), c.threads, true);
    scratch_ = Buffer<T>(scratch_size() * c.threads);
  }

  std::string describe() const override {
    return "embedding " + std::to_string(inputs_) + " -> " + std::to_string(outputs_);
  }
  std::int64_t outputs() const override { return outputs_; }
  bool has_parameters() const override { return true; }
  const Parameter* sparse_weight() const override { return weight_; }
  /// Listing the entries by category needs those of all rows.
  Partition backward_partition() const override { return Partition::columns; }

  Cost cost(std::int64_t rows) const override {
    const double parts = static_cast<double>(rows * embedded());
    const auto units = static_cast<double>(weight_->shape.columns);
    const auto numbers = static_cast<double>(rows * outputs_);
    const double nonzero_state = std::min(static_cast<double>(weight_->shape.rows), parts) * units;
    const double update = this->dy.data ? numbers + 2.0 * nonzero_state : 0.0;
    return {0.0, (parts * units + numbers + update) * sizeof(T)};
  }

  // source: rows x inputs, categories_: rows x columns of categories; the other columns go to y as
  // they are. Each thread reads its rows where the caller has them, since T cannot represent all
  // integers.
  void read(const RowsView& source, RowOrder order, Range rows, ThreadSlice slice) override {
    for (std::int64_t i = rows.begin; i < rows.end; ++i) {
      std::int32_t* categories = categories_.data() + i * embedded();
      prefetch_row(source, order, i, rows);
      read_categories(source, order[i], columns_, categories);
      if (entries_) list(categories, entries_->begin_row(i, i * room_of_row()));
    }
    passing_.gather(kernels_, source, order.after(rows.begin), rows.size(), this->y.row(rows.begin),
                    this->y.stride);
    if (entries_) entries_->count(rows, slice);
  }

  // y(i, part c) = W(category of row i in column c, :)
  // categories_: rows x columns of categories, W: panels of [categories][panel], y: rows x outputs,
  // the vectors of all columns side by side, and behind them the numbers that `read` has put there
  void forward(const Step<T>& step, ThreadContext& context) override {
    const Range rows = this->rows_of(step, context.slice());
    look_up(categories_.data() + rows.begin * embedded(), rows.size(), this->y.row(rows.begin),
            this->y.stride);
  }

  // dx = dy in columns of numbers, 0 in columns of categories, which nothing writes to
  // dy: rows x outputs, dx: rows x inputs. The entries are listed by category here and not in the
  // forward pass, which then needs no barrier: at the one before this pass all threads have
  // counted.
  void backward(const Step<T>& step, ThreadContext& context) override {
    const ThreadSlice slice = context.slice();
    const Range rows = this->rows_of(step, slice);
    entries_->transpose(rows, slice);
    if (!this->dx.data) return;
    for (std::int64_t i = rows.begin; i < rows.end; ++i)
      passing_.copy_back(this->dy.row(i), this->dx.row(i), inputs_);
  }

  // dW(c, :) = sum over the entries of category c, in the order of the rows, of their parts of dy
  // dy: rows x outputs, entries_: rows of the batch by category, g: run of categories x panel.
  // Threads share the categories by their entries.
  void gradients(const Step<T>& step, ThreadContext& context) override {
    const ThreadSlice slice = context.slice();
    const std::int32_t* begin = entries_->columns().column_offsets;
    if (step.update)
      ActiveRows::record(*step.update, *weight_, begin, slice.range(weight_->shape.rows));
    const ActiveRows active(step.update, *weight_, begin);
    const Range mine = share_of_rows(begin, slice);
    for (ActiveRowRanges runs(active, mine, kLongestRun); !runs.done(); runs.advance())
      gradient(step, slice, runs);
  }

  // The same as `read` and `forward`. x: rows x inputs, categories as numbers of T, y: rows x
  // outputs, scratch: categories of all rows
  void infer(const InferArgs<T>& p) const noexcept override {
    constexpr auto size = static_cast<std::int64_t>(sizeof(T));
    RowsView source = view(p.x, p.rows, inputs_);
    source.row_stride = p.x_stride * size;
    auto* categories = static_cast<std::int32_t*>(p.scratch);
    for (std::int64_t i = 0; i < p.rows; ++i) {
      read_categories(source, i, columns_, categories + i * embedded());
      passing_.copy(p.x + i * p.x_stride, p.y + i * p.y_stride);
    }
    look_up(categories, p.rows, p.y, p.y_stride);
  }
  bool infers_in_place() const override { return false; }
  std::int64_t infer_scratch_bytes(std::int64_t rows) const override {
    return rows * embedded() * static_cast<std::int64_t>(sizeof(std::int32_t));
  }

 private:
  static constexpr std::int64_t kLongestRun = 48;

  std::int64_t embedded() const { return static_cast<std::int64_t>(columns_.size()); }
  std::int64_t room_of_row() const { return embedded() + 1; }
  std::int64_t scratch_size() const { return kLongestRun * weight_->shape.panel; }

  /// Rows of the tables with as many entries as other threads': few often have most of them.
  Range share_of_rows(const std::int32_t* begin, ThreadSlice slice) const {
    const InputCosts costs{begin, weight_->shape.rows};
    const Range mine = slice.range(costs.total());
    return {costs.input_at(mine.begin), costs.input_at(mine.end)};
  }

  /// One run of categories, panel by panel: a piece of the gradient stays in L1 until the update
  /// has used it, as in a dense stage.
  void gradient(const Step<T>& step, ThreadSlice slice, const ActiveRowRanges& runs) {
    const kernels::PanelShape& shape = weight_->shape;
    const Range rows = runs.run();
    const Range prefetch = runs.prefetch();
    for (std::int64_t panel = 0; panel < shape.panels(); ++panel) {
      const std::int64_t width = shape.width(panel);
      const std::int64_t first = shape.offset(panel);
      const std::int64_t at = first + rows.begin * width;
      T* g = step.gradients ? step.gradients + weight_->offset + at
                            : scratch_.data() + scratch_size() * slice.index;
      kernels_.embedding_gradient({shape, panel, rows.begin, rows.end, entries_->columns(),
                                   this->dy.data, this->dy.stride, g});
      if (step.update) {
        step.update->apply(*weight_, at, g, rows.size() * width,
                           {first + prefetch.begin * width, prefetch.size() * width});
      }
    }
  }

  /// The value of an entry is the place of its column among those of categories.
  void list(const std::int32_t* categories, EntriesOfRow<T> to) const {
    for (std::int64_t c = 0; c < embedded(); ++c) {
      if (categories[c] == kernels::kNoColumn) continue;
      *to.columns++ = categories[c];
      *to.values++ = static_cast<T>(c);
    }
    *to.columns = kernels::kNoColumn;
  }

  void look_up(const std::int32_t* categories, std::int64_t rows, T* to,
               std::int64_t stride) const {
    kernels_.embedding_forward(
        {weight_->shape, parameters_.at(weight_), categories, rows, embedded(), to, stride});
  }

  const kernels::KernelTable<T>& kernels_;
  Parameters<T>& parameters_;
  const Parameter* weight_;
  std::vector<CategoryColumn> columns_;
  PassingColumns passing_;
  std::int64_t inputs_;
  std::int64_t outputs_;
  Buffer<std::int32_t> categories_;  // (rows x columns of categories)
  std::unique_ptr<SparseInput<T>> entries_;
  Buffer<T> scratch_;
};

}  // namespace

template <class T>
void add_embedding(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  stages.push_back(
      std::make_unique<EmbeddingStage<T>>(context, dynamic_cast<const Embedding&>(layer)));
}

CHAINRULE_INSTANTIATE_FACTORY(add_embedding)

}  // namespace chainrule::engine

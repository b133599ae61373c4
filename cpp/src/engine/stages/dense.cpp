// SPDX-License-Identifier: Apache-2.0
// The product of a batch with a weight matrix, and its two gradients, from dense batches, masks or
// lists of nonzeros. A picture of panels, tiles and slices is in engine/stages/blocking.hpp.
#include "chainrule/layers.hpp"
#include "engine/cache.hpp"
#include "engine/inference/infers.hpp"
#include "engine/input/takes_nonzeros.hpp"
#include "engine/optimizer/active_rows.hpp"
#include "engine/stages/activation.hpp"
#include "engine/stages/blocking.hpp"
#include "engine/stages/stages.hpp"
#include "engine/stages/weight_gradient.hpp"

namespace chainrule::engine {
namespace {

/// The forward pass has three forms, which add up the same terms in the same order: from a table,
/// from a table with its mask, and from lists. The last two leave out terms that are zero.
template <class T>
class DenseStage final : public Stage<T>,
                         public AddsToGradient<T>,
                         public GivesGradientProduct<T>,
                         public TakesNonzeros<T>,
                         public Infers<T>,
                         public InfersProduct<T> {
 public:
  DenseStage(const StageContext<T>& c)
      : kernels_(c.kernels),
        parameters_(c.parameters),
        weight_(c.parameters.find(c.owner, "weight")),
        bias_(c.parameters.find(c.owner, "bias")),
        inputs_(c.inputs),
        units_(weight_->shape.columns),
        panels_(weight_->shape.panels()),
        partition_(partition_of(c, units_, panels_)),
        blocking_(Blocking::of<T>(inputs_, units_, c.rows, c.kernels.panel, c.threads)),
        dy_panels_(c.backward ? padded<T>(c.rows) * units_ : 0),
        scratch_stride_(blocking_.scratch_rows(c.kernels.sparse_panels) * c.kernels.panel),
        scratch_(c.backward ? scratch_stride_ * c.threads : 0),
        bias_gradient_(c.backward ? padded<T>(units_) : 0),
        exceeds_l2_(inputs_ * units_ * std::int64_t{sizeof(T)} > cache_sizes().l2),
        most_single_rows_(c.backward ? 0 : most_single_rows(inputs_, units_)),
        terms_(c.backward ? 0 : inputs_ + kernels::kRowAlignment<std::int32_t>) {}

  std::string describe() const override {
    return "dense " + std::to_string(inputs_) + " -> " + std::to_string(units_);
  }
  Partition partition() const override { return partition_; }
  Partition backward_partition() const override { return Partition::rows; }
  bool updates_what_it_reads(int threads) const override {
    if (partition_ == Partition::rows || panels_ % threads != 0) return false;
    const std::int64_t group = this->mask || this->sparse ? sparse_group(threads) : blocking_.group;
    return panels_ / threads % group == 0;
  }
  std::int64_t outputs() const override { return units_; }
  bool has_parameters() const override { return true; }
  const Parameter* sparse_weight() const override { return weight_; }

  PathCosts path_costs(std::int64_t rows, double density) const override {
    // In terms of a dense product, measured by benchmarks/density.py. An entry costs more than a
    // term, which shares what it loads with other rows, and to find it by row and by column about
    // as much as many terms.
    const double term = exceeds_l2_ ? 2.2 : 1.8;
    constexpr double listing = 30.0;
    constexpr double scanning = 6.0;
    const auto units = static_cast<double>(units_);
    const double products = this->dy.data ? 2.0 : 1.0;
    const double operations = 2.0 * static_cast<double>(rows) * static_cast<double>(inputs_);
    return {operations * (density * (term * products * units + listing) + scanning),
            operations * products * units};
  }

  Cost cost(std::int64_t rows) const override {
    const bool gradient = this->dy.data;
    const double passes = 1.0 + (gradient ? 1.0 : 0.0) + (this->dx.data ? 1.0 : 0.0);
    const double weights = static_cast<double>(inputs_) * static_cast<double>(units_);
    const double slice = this->sparse ? this->sparse->density()  // of x, not left out
                         : this->mask ? this->mask->density()
                                      : 1.0;
    const double read = slice * static_cast<double>(inputs_) + static_cast<double>(units_);
    const double rows_read = passes * static_cast<double>(rows) * read;
    const double weights_moved = passes + (gradient ? 1.0 : 0.0);  // the update reads and writes
    return {2.0 * passes * slice * weights * static_cast<double>(rows),
            (rows_read + weights_moved * weights) * sizeof(T)};
  }

  // y = x W + b, (rows x inputs) -> (rows x units)
  // x: a table or its nonzeros; W: panels of [inputs][panel]; b: units. A thread owns rows, or the
  // panels that it also updates; where these do not go up evenly, two threads share a panel's rows.
  void forward(const Step<T>& step, ThreadContext& context) override {
    const ThreadSlice slice = context.slice();
    if (partition_ == Partition::rows)
      return forward_part(this->rows_of(step, slice), {0, panels_}, slice);
    // Items of work: of each panel, blocks of rows.
    constexpr std::int64_t block = kernels::kRowAlignment<T>;
    const std::int64_t rows = this->rows(step);
    const std::int64_t blocks = (rows + block - 1) / block;
    const Range items = slice.range(panels_ * blocks);
    for (std::int64_t item = items.begin; item < items.end;) {
      const std::int64_t panel = item / blocks;
      const std::int64_t first = item % blocks;
      const std::int64_t left = items.end - item;
      if (const std::int64_t whole = left / blocks; first == 0 && whole > 0) {
        forward_part({0, rows}, {panel, panel + whole}, slice);
        item += whole * blocks;
      } else {
        const std::int64_t end = std::min(blocks, first + left);
        forward_part({first * block, std::min(rows, end * block)}, {panel, panel + 1}, slice);
        item += end - first;
      }
    }
  }

  // dx = dy W^T + more, (rows x units) -> (rows x inputs)
  // W: panels of [inputs][panel]; more: rows x inputs, or null
  void backward(const Step<T>& step, ThreadContext& context) override {
    const ThreadSlice slice = context.slice();
    if (!this->dx.data) return;
    const Range rows = this->rows_of(step, slice);
    if (rows.size() == 0) return;
    // Each thread transposes its own rows, padded to whole vectors, into its own part of the
    // panels.
    T* panels = dy_panels_.data() + padded<T>(rows.begin) * units_;
    kernels_.pack_transposed(this->dy.row(rows.begin), this->dy.stride, rows.size(), units_,
                             panels);
    kernels_.input_gradient({weight_->shape, parameters_.at(weight_), panels, rows.size(),
                             this->dx.row(rows.begin), this->dx.stride, scratch_of(slice),
                             blocking_.group, blocking_.backward_inputs, blocking_.backward_columns,
                             this->more.data ? this->more.row(rows.begin) : nullptr});
  }

  // dW = x^T dy, (inputs x units); db = sum over the rows of dy, (units)
  // Sums run in the order of the rows. A thread works out pieces of dW over all rows and updates by
  // them at once.
  void gradients(const Step<T>& step, ThreadContext& context) override {
    const ThreadSlice slice = context.slice();
    if (this->mask) {
      sparse_weight_gradients(step, slice, this->mask_of(slice).begin(this->among_readers(slice)));
    } else if (this->sparse) {
      sparse_weight_gradients(step, slice, this->sparse->columns().column_offsets);
    } else {
      weight_gradients<T>(kernels_, step, slice,
                          {*weight_, blocking_, this->rows(step), x_of(slice), this->x.stride,
                           this->dy.data, this->dy.stride, scratch_of(slice)});
    }
    if (!bias_) return;
    const Range columns = columns_of(slice);
    if (columns.size() == 0) return;
    kernels_.column_sums(this->dy.data, this->dy.stride, this->rows(step), columns.begin,
                         columns.end, bias_gradient_.data(), false);
    store_or_apply_gradient(step, *bias_, columns.begin, bias_gradient_.data() + columns.begin,
                            columns.size());
  }

  GradientProduct<T> gradient_product() const override {
    const bool is_table = !this->mask && !this->sparse;
    return {weight_, bias_, is_table ? this->x : Tensor<T>{}, this->dy};
  }

  // y = f(x W + b) with the activation f that has been fused, (rows x inputs) -> (rows x units)
  void infer(const InferArgs<T>& p) const noexcept override {
    const kernels::RowArgs<T> f = product();
    kernels_.forward({f.shape, f.weight, f.bias, p.x, p.x_stride, p.y, p.y_stride, 0, p.rows, 0,
                      panels_, blocking_.forward_inputs});
    if (f.activation.kind != kernels::ActivationKind::linear)
      kernels_.activation_forward({f.activation, p.rows, units_, p.y_stride}, p.y, p.y);
  }
  kernels::RowArgs<T> row_product() const override { return product(); }
  bool infers_in_place() const override { return false; }
  void fuse_activation(const Activation& next) override {
    infer_activation_ = kernel_function<T>(next);
  }

 private:
  /// Up to how many rows of a prediction are multiplied one by one. Most of their time goes into
  /// reading weights, and many inputs of a layer behind a relu are zero, whose weights are left
  /// out.
  static std::int64_t most_single_rows(std::int64_t inputs, std::int64_t units) {
    return inputs * units * std::int64_t{sizeof(T)} > cache_sizes().l1 ? 4 : 1;
  }

  /// The forward pass's partition. A thread that owns the same columns there as in the update has
  /// their weights in its own cache: worth a panel whose rows two threads share, unless what
  /// others have written of many rows is more. And where rows are few, more threads find work
  /// among the columns.
  static Partition partition_of(const StageContext<T>& c, std::int64_t units, std::int64_t panels) {
    if (c.threads == 1 || panels < c.threads) return Partition::rows;
    const bool few_rows = c.rows < kernels::kRowAlignment<T> * c.threads;
    const bool own_weights = c.backward && (panels % c.threads == 0 || c.rows <= 2 * units);
    return few_rows || own_weights ? Partition::columns : Partition::rows;
  }

  /// y(rows, panels)
  void forward_part(Range rows, Range panels, ThreadSlice slice) {
    if (this->mask) {
      masked_forward(rows, panels, slice);
    } else if (this->sparse) {
      sparse_forward(*this->sparse, rows, panels, slice);
    } else if (rows.size() <= most_single_rows_ && slice.count == 1) {
      for (std::int64_t i = 0; i < rows.size(); ++i)
        kernels_.forward_row(product(), this->x.row(i), this->y.row(i), terms_.data());
    } else {
      kernels_.forward({weight_->shape, parameters_.at(weight_), parameters_.at(bias_), x_of(slice),
                        this->x.stride, this->y.data, this->y.stride, rows.begin, rows.end,
                        panels.begin, panels.end, blocking_.forward_inputs});
    }
  }

  kernels::RowArgs<T> product() const {
    return {weight_->shape, parameters_.at(weight_), parameters_.at(bias_), infer_activation_};
  }

  /// How many inputs' weights, of the panels that a kernel takes together, L1 and its neighbour
  /// hold.
  std::int64_t inputs_in_l1(std::int64_t panels) const {
    const std::int64_t together = std::min(kernels_.sparse_panels, panels);
    const std::int64_t bytes = together * kernels_.panel * std::int64_t{sizeof(T)};
    return std::max<std::int64_t>(1, 2 * cache_sizes().l1 / bytes);
  }

  // x: rows x inputs as numbers or bytes, its mask: rows x words of 64 inputs, y: rows x units
  void masked_forward(Range rows, Range panels, ThreadSlice slice) {
    const std::int64_t words = kernels::mask_words(inputs_);
    const std::int64_t in_l1 = inputs_in_l1(panels.size()) / kernels::kBitsPerWord;
    const bool blocks = rows.size() > 1 && in_l1 < words;
    const NonzeroMask<T>& x_mask = this->mask_of(slice);
    const auto from = [&]<class X>(const X& table) {
      return kernels::MaskedForwardArgs<T, X>{weight_->shape,
                                              parameters_.at(weight_),
                                              parameters_.at(bias_),
                                              table,
                                              x_mask.rows(),
                                              this->y.data,
                                              this->y.stride,
                                              rows.begin,
                                              rows.end,
                                              panels.begin,
                                              panels.end,
                                              blocks ? std::max<std::int64_t>(1, in_l1) : words};
    };
    if (x_mask.has_bytes()) {
      kernels_.masked_byte_forward(from(x_mask.bytes()));
    } else {
      kernels_.masked_forward(from(numbers_of(slice)));
    }
  }

  // entries: of each row its columns and values, y: rows x units
  void sparse_forward(SparseInput<T>& entries, Range rows, Range panels, ThreadSlice slice) {
    const std::int64_t in_l1 = inputs_in_l1(panels.size());
    // The overhead of beginning a block of a row, in nonzeros.
    constexpr double nonzeros_per_block = 4.0;
    const bool small = inputs_ <= in_l1;
    const bool blocks = !small && rows.size() > 1 &&
                        entries.density() * static_cast<double>(in_l1) > nonzeros_per_block;
    kernels_.sparse_forward({weight_->shape, parameters_.at(weight_), parameters_.at(bias_),
                             entries.rows(), this->y.data, this->y.stride, rows.begin, rows.end,
                             panels.begin, panels.end,
                             blocks ? equal_parts(inputs_, in_l1, 1) : inputs_,
                             entries.positions(slice), !small && !blocks});
  }

  /// x as one thread reads it.
  const T* x_of(ThreadSlice slice) const {
    return this->x.data + this->private_x_stride * slice.index;
  }
  kernels::NumberTable<T> numbers_of(ThreadSlice slice) const {
    return {x_of(slice), this->x.stride};
  }

  /// The columns whose bias a thread updates: those of its forward pass, if it has any there.
  Range columns_of(ThreadSlice slice) const {
    if (partition_ == Partition::rows)
      return slice.range(padded<T>(units_), kernels::kRowAlignment<T>);
    const Range panels = slice.range(panels_);
    return {std::min(padded<T>(units_), panels.begin * kernels_.panel),
            std::min(padded<T>(units_), panels.end * kernels_.panel)};
  }

  /// Panels that a thread works on together where zeros are left out.
  std::int64_t sparse_group(int threads) const {
    return std::clamp<std::int64_t>(panels_ / threads, 1, kernels_.sparse_panels);
  }

  T* scratch_of(ThreadSlice slice) { return scratch_.data() + scratch_stride_ * slice.index; }

  /// dW from the nonzeros. Threads share the groups of panels, so that each has those of its
  /// forward pass; where a group is left over they share its inputs, each as many entries as the
  /// others.
  void sparse_weight_gradients(const Step<T>& step, ThreadSlice slice, const std::int32_t* begin) {
    const std::int64_t group = sparse_group(slice.count);
    const std::int64_t groups = (panels_ + group - 1) / group;
    if (step.update) ActiveRows::record(*step.update, *weight_, begin, slice.range(inputs_));
    const InputCosts costs{begin, inputs_};
    const std::int64_t total = costs.total();
    const Range mine = slice.range(groups * total);
    for (std::int64_t g = mine.begin / total; g * total < mine.end; ++g) {
      const Range inputs{costs.input_at(mine.begin - g * total),
                         costs.input_at(mine.end - g * total)};
      sparse_weight_gradients(step, slice, begin, {g * group, std::min(panels_, (g + 1) * group)},
                              inputs);
    }
  }

  void sparse_weight_gradients(const Step<T>& step, ThreadSlice slice, const std::int32_t* begin,
                               Range panels, Range inputs) {
    const kernels::PanelShape& shape = weight_->shape;
    const ActiveRows active(step.update, *weight_, begin);
    for (ActiveRowRanges runs(active, inputs, Blocking::kShortChunk); !runs.done();
         runs.advance()) {
      // Panels of one call are of one width, so that they have one stride in an arena.
      const bool narrow_end = shape.width(panels.end - 1) < shape.width(panels.begin);
      const std::int64_t middle = panels.end - (narrow_end ? 1 : 0);
      sparse_weight_gradient(step, slice, {panels.begin, middle}, runs);
      if (narrow_end) sparse_weight_gradient(step, slice, {middle, panels.end}, runs);
    }
  }

  // g = x(:, run)^T dy, for each of the panels (inputs of the run) x panel, at a distance of
  // g_stride
  void sparse_weight_gradient(const Step<T>& step, ThreadSlice slice, Range panels,
                              const ActiveRowRanges& runs) {
    const kernels::PanelShape& shape = weight_->shape;
    const Range inputs = runs.run();
    const auto piece = [&](std::int64_t p, Range of) {
      const std::int64_t width = shape.width(p);
      return Entries{shape.offset(p) + of.begin * width, of.size() * width};
    };
    T* g = step.gradients ? step.gradients + weight_->offset + piece(panels.begin, inputs).first
                          : scratch_of(slice);
    const std::int64_t g_stride =
        step.gradients ? shape.offset(1) : shape.panel * Blocking::kShortChunk;
    if (this->mask) {
      const NonzeroMask<T>& x_mask = this->mask_of(slice);
      const auto from = [&]<class X>(const X& table) {
        return kernels::MaskedGradientArgs<T, X>{
            weight_->shape, panels.begin,     panels.end, inputs.begin,
            inputs.end,     this->rows(step), table,      x_mask.columns(),
            this->dy.data,  this->dy.stride,  g,          g_stride,
            step.cursor};
      };
      if (x_mask.has_bytes()) {
        kernels_.masked_byte_gradient(from(x_mask.bytes()));
      } else {
        kernels_.masked_gradient(from(numbers_of(slice)));
      }
    } else {
      kernels_.sparse_gradient({weight_->shape, panels.begin, panels.end, inputs.begin, inputs.end,
                                this->sparse->columns(), this->dy.data, this->dy.stride, g,
                                g_stride, step.cursor});
    }
    if (!step.update) return;
    for (std::int64_t p = panels.begin; p < panels.end; ++p) {
      const auto [first, size] = piece(p, inputs);
      step.update->apply(*weight_, first, g + (p - panels.begin) * g_stride, size,
                         exceeds_l2_ ? piece(p, runs.prefetch()) : Entries{});
    }
  }

  const kernels::KernelTable<T>& kernels_;
  Parameters<T>& parameters_;
  const Parameter* weight_;
  const Parameter* bias_;
  std::int64_t inputs_;
  std::int64_t units_;
  std::int64_t panels_;
  Partition partition_;
  Blocking blocking_;
  Buffer<T> dy_panels_;
  std::int64_t scratch_stride_;
  Buffer<T> scratch_;
  Buffer<T> bias_gradient_;
  bool exceeds_l2_;  // the weights, and what the optimizer remembers of them
  std::int64_t most_single_rows_;
  Buffer<std::int32_t> terms_;                         // of the row at hand
  kernels::ActivationFunction<T> infer_activation_{};  // fused
};

}  // namespace

template <class T>
void add_dense(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const auto& dense = dynamic_cast<const Dense&>(layer);
  stages.push_back(std::make_unique<DenseStage<T>>(context));
  append_activation(dense.activation, context, dense.units, stages);
}

CHAINRULE_INSTANTIATE_FACTORY(add_dense)

}  // namespace chainrule::engine

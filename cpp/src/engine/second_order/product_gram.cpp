// SPDX-License-Identifier: Apache-2.0
#include "engine/second_order/product_gram.hpp"

#include <algorithm>

namespace chainrule::engine {
namespace {

constexpr std::int64_t kOverrun = kernels::kRowAlignment<double>;  // that kernels may touch

}  // namespace

// A chunk has as many rows as keep its pairs within a quarter of a MiB, but at least 64, or 128
// where the sums exceed a cache: they are loaded and stored once for each chunk. The 1 that a bias
// reads is written once, and stays, since only what is read is copied over it.
ProductGram::ProductGram(const kernels::KernelTable<double>& kernels, const ParameterVector& vector,
                         const std::vector<GradientProduct<double>>& products, std::int64_t outputs,
                         std::int64_t batch, std::int64_t rows)
    : kernels_(kernels), outputs_(outputs) {
  constexpr std::int64_t pair_bytes = 1 << 18;
  constexpr std::int64_t least_sums = 1 << 17;  // that do not stay in a cache
  factors_.push_back({1, 1, {}, {}, {vector.size()}, 0, 0, padded<double>(1)});
  input_stride_ = padded<double>(1);
  delta_stride_ = outputs_ * padded<double>(1);
  for (const GradientProduct<double>& product : products) add_factor(vector, product);
  if (can_use_rows(vector.size())) {
    add_row_blocks(vector.size());
  } else {
    for (std::size_t p = 0; p < factors_.size(); ++p)
      for (std::size_t q = std::max<std::size_t>(p, 1); q < factors_.size(); ++q)
        add_pair_block(p, q);
  }
  const std::int64_t least = sum_numbers_ > least_sums ? 128 : 64;
  chunk_ = std::min(
      {std::clamp<std::int64_t>(pair_bytes / (8 * pair_numbers_), least, 512), batch, rows});
  inputs_ = Buffer<double>(chunk_ * input_stride_ + kOverrun);
  deltas_ = Buffer<double>(batch * delta_stride_ + kOverrun);
  pairs_ = Buffer<double>(chunk_ * pair_numbers_);
  sums_ = Buffer<double>(sum_numbers_);
  for (std::int64_t row = 0; row < chunk_; ++row)
    for (const Factor& factor : factors_)
      inputs_.data()[row * input_stride_ + factor.first_input + factor.inputs - 1] = 1.0;
}

// places(i): where the weights of input i begin in the vector, one for each unit; that of a bias is
// the last input.
void ProductGram::add_factor(const ParameterVector& vector,
                             const GradientProduct<double>& product) {
  Factor factor{product.x.columns, product.dy.columns, product.x, product.dy, {}, 0, 0, 0};
  const std::int64_t weight = vector.first_of(*product.weight);
  for (std::int64_t i = 0; i < factor.inputs; ++i)
    factor.places.push_back(weight + i * factor.units);
  if (product.bias) {
    factor.places.push_back(vector.first_of(*product.bias));
    ++factor.inputs;
  }
  factor.first_input = input_stride_;
  factor.first_delta = delta_stride_;
  factor.delta_stride = padded<double>(factor.units);
  input_stride_ += padded<double>(factor.inputs);
  delta_stride_ += outputs_ * factor.delta_stride;
  factors_.push_back(std::move(factor));
}

/// Whether the factors have the parameters' order.
bool ProductGram::can_use_rows(std::int64_t parameters) const {
  if (outputs_ > 1) return false;
  std::int64_t next = 0;
  for (std::size_t p = 1; p < factors_.size(); ++p) {
    for (const std::int64_t place : factors_[p].places) {
      if (place != next) return false;
      next += factors_[p].units;
    }
  }
  return next == parameters;
}

/// Whether b by a is less work, since whole vectors of columns are worked on.
bool ProductGram::should_swap(const Columns& a, const Columns& b) {
  return a.count * padded<double>(b.count) > b.count * padded<double>(a.count);
}

/// Sums of a group of columns by another one; `upper`: a triangle, up to the diagonal of each
/// panel.
ProductGram::Sums ProductGram::add_sums(const Columns& rows, const Columns& columns, bool upper) {
  const Sums sums{rows,
                  columns,
                  {rows.count, columns.count, kernels_.panel, kernels::kRowAlignment<double>},
                  sum_numbers_};
  const kernels::PanelShape& shape = sums.shape;
  sum_numbers_ += shape.rows * padded<double>(shape.columns);
  for (std::int64_t panel = 0; panel < shape.panels(); ++panel) {
    const std::int64_t own = upper ? std::min(shape.rows, (panel + 1) * shape.panel) : shape.rows;
    const auto work = static_cast<double>(own * shape.width(panel));
    tasks_.push_back({sums, panel, own, work_, work});
    work_ += work;
  }
  return sums;
}

// The sums over rows of pairs of inputs times pairs of units, or with the two swapped: (pairs x
// pairs), each pair (i, k), or i <= k where both factors are one.
void ProductGram::add_pair_block(std::size_t p, std::size_t q) {
  const Factor& a = factors_[p];
  const Factor& b = factors_[q];
  const auto add = [&](std::int64_t columns_a, std::int64_t columns_b) {
    const std::int64_t count = p == q ? columns_a * (columns_a + 1) / 2 : columns_a * columns_b;
    const Columns columns{pair_numbers_, row_stride<double>(count + kOverrun - 1), count};
    pair_numbers_ += columns.stride;
    return columns;
  };
  PairBlock block{p, q, add(a.inputs, b.inputs), add(a.units, b.units), false, {}};
  block.inputs_are_columns = should_swap(block.inputs, block.units);
  block.sums = block.inputs_are_columns ? add_sums(block.units, block.inputs, false)
                                        : add_sums(block.inputs, block.units, false);
  pair_blocks_.push_back(block);
}

// For each factor the products of its columns of J with those from it on, and e: its own ones by
// pairs, which are fewer, where there are any.
void ProductGram::add_row_blocks(std::int64_t parameters) {
  rows_ = {pair_numbers_, row_stride<double>(parameters + kOverrun), parameters + 1};
  pair_numbers_ += rows_.stride;
  for (std::size_t p = 1; p < factors_.size(); ++p) {
    const Factor& factor = factors_[p];
    const std::int64_t own = factor.inputs * factor.units;
    const bool by_pairs = factor.inputs > 1 && factor.units > 1;
    if (by_pairs) add_pair_block(p, p);
    RowBlock block{factor.places[0], factor.places[0] + (by_pairs ? own : 0), false, {}};
    const Columns a{rows_.group, rows_.stride, own, block.row};
    const Columns b{rows_.group, rows_.stride, rows_.count - block.column, block.column};
    block.swapped = by_pairs && should_swap(a, b);
    block.sums = block.swapped ? add_sums(b, a, false) : add_sums(a, b, !by_pairs);
    row_blocks_.push_back(block);
  }
}

void ProductGram::clear() { sums_.clear(); }

// deltas_(i, factor, output, :) = dy(i, :); of the errors' factor the error itself. Each thread its
// rows, behind each backward pass.
void ProductGram::take(std::int64_t output, Range rows, const double* errors,
                       std::int64_t error_stride) {
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    double* const to = deltas_.data() + i * delta_stride_;
    for (const Factor& factor : factors_) {
      double* const place = to + factor.first_delta + output * factor.delta_stride;
      if (factor.dy.data) {
        std::copy_n(factor.dy.row(i), factor.units, place);
      } else {
        *place = errors[i * error_stride];
      }
    }
  }
}

// The next three work on rows [rows.begin, rows.end) of the chunk that begins with row `first` of
// the batch.

// inputs_(i, factor, :) = x(first + i, :)
void ProductGram::make_inputs(Range rows, std::int64_t first) {
  for (const Factor& factor : factors_) {
    for (std::int64_t i = rows.begin; factor.x.data && i < rows.end; ++i)
      std::copy_n(factor.x.row(first + i), factor.x.columns,
                  inputs_.data() + i * input_stride_ + factor.first_input);
  }
}

// pairs(i, (j, k)) = a(i, j) b(i, k) of two factors' inputs, and the sum over outputs of d(i, o, j)
// d'(i, o, k) of what came back to them
void ProductGram::make_pairs(Range rows, std::int64_t first) {
  const double* const inputs = inputs_.data() + rows.begin * input_stride_;
  const double* const deltas = deltas_.data() + (first + rows.begin) * delta_stride_;
  for (const PairBlock& block : pair_blocks_) {
    const Factor& p = factors_[block.p];
    const Factor& q = factors_[block.q];
    const bool symmetric = block.p == block.q;
    kernels_.pair_products({rows.size(), 1, inputs + p.first_input, input_stride_, 0, p.inputs,
                            inputs + q.first_input, input_stride_, 0, q.inputs, symmetric,
                            place_of(block.inputs, rows.begin), block.inputs.stride});
    kernels_.pair_products({rows.size(), outputs_, deltas + p.first_delta, delta_stride_,
                            p.delta_stride, p.units, deltas + q.first_delta, delta_stride_,
                            q.delta_stride, q.units, symmetric, place_of(block.units, rows.begin),
                            block.units.stride});
  }
}

// rows(i, :) = row i of J, x(i)^T dy(i) of each factor, and behind it the error; with one output
// alone
void ProductGram::make_rows(Range rows, std::int64_t first) {
  const double* const inputs = inputs_.data() + rows.begin * input_stride_;
  const double* const deltas = deltas_.data() + (first + rows.begin) * delta_stride_;
  double* const to = place_of(rows_, rows.begin);
  for (std::size_t p = 1; p < factors_.size(); ++p) {
    const Factor& factor = factors_[p];
    kernels_.pair_products({rows.size(), 1, inputs + factor.first_input, input_stride_, 0,
                            factor.inputs, deltas + factor.first_delta, delta_stride_, 0,
                            factor.units, false, to + factor.places[0], rows_.stride});
  }
  for (std::int64_t i = 0; i < rows.size(); ++i)
    to[i * rows_.stride + rows_.count - 1] = deltas[i * delta_stride_ + factors_[0].first_delta];
}

// sums(0..task.rows, panel) += rows^T columns, over the chunk's rows, by the kernel of weight
// gradients
void ProductGram::add_products(const Task& task, std::int64_t rows) {
  constexpr std::int64_t cached = 128;  // rows that stay in a cache
  const Sums& sums = task.sums;
  kernels_.weight_gradient({sums.shape, task.panel, 0, task.rows, rows, place_of(sums.rows, 0),
                            sums.rows.stride, place_of(sums.columns, 0), sums.columns.stride,
                            sums_.data() + sums.first + sums.shape.offset(task.panel), cached,
                            nullptr, true});
}

// Threads share a chunk's rows for the pairs and, behind a barrier, the panels of sums by their
// work: a panel is one thread's, whose middle falls into its part. They wait again before the pairs
// are overwritten.
void ProductGram::add(ThreadContext& context, std::int64_t rows) {
  const ThreadSlice slice = context.slice();
  for (std::int64_t first = 0; first < rows; first += chunk_) {
    const std::int64_t count = std::min(chunk_, rows - first);
    const Range mine = slice.range(count);
    make_inputs(mine, first);
    make_pairs(mine, first);
    if (rows_.count > 0) make_rows(mine, first);
    context.barrier();
    for (const Task& task : tasks_) {
      const double middle = (task.before + 0.5 * task.work) / work_;
      if (static_cast<int>(middle * slice.count) == slice.index) add_products(task, count);
    }
    context.barrier();
  }
}

void ProductGram::finish(SymmetricMatrix& jj, Vector& je) const {
  for (const PairBlock& block : pair_blocks_) put(block, jj, je);
  for (const RowBlock& block : row_blocks_) put(block, jj, je);
}

// From sums of columns of J to jj's upper triangle; the last column is that of e and goes to je.
void ProductGram::put(const RowBlock& block, SymmetricMatrix& jj, Vector& je) const {
  const kernels::PanelShape& shape = block.sums.shape;
  const std::int64_t last = rows_.count - 1;  // that of e
  for (std::int64_t panel = 0; panel < shape.panels(); ++panel) {
    const double* const sums = sums_.data() + block.sums.first + shape.offset(panel);
    const std::int64_t width = shape.width(panel);
    const std::int64_t count = shape.own_columns(panel);
    for (std::int64_t r = 0; r < shape.rows; ++r) {
      for (std::int64_t c = 0; c < count; ++c) {
        const std::int64_t other = panel * shape.panel + c;
        const std::int64_t row = block.row + (block.swapped ? other : r);
        const std::int64_t column = block.column + (block.swapped ? r : other);
        if (column == last) {
          je[static_cast<std::size_t>(row)] = sums[r * width + c];
        } else if (column >= row) {
          jj.row(row)[column] = sums[r * width + c];
        }
      }
    }
  }
}

/// From sums of pairs to the places of the parameters, a run of the wider pairs after the other.
void ProductGram::put(const PairBlock& block, SymmetricMatrix& jj, Vector& je) const {
  const Factor& p = factors_[block.p];
  const Factor& q = factors_[block.q];
  const bool symmetric = block.p == block.q;
  const std::int64_t rows_a = block.inputs_are_columns ? p.units : p.inputs;
  const std::int64_t rows_b = block.inputs_are_columns ? q.units : q.inputs;
  const std::int64_t columns_a = block.inputs_are_columns ? p.inputs : p.units;
  const std::int64_t columns_b = block.inputs_are_columns ? q.inputs : q.units;
  const kernels::PanelShape& shape = block.sums.shape;
  const double* const sums = sums_.data() + block.sums.first;
  std::int64_t row = 0;
  for (std::int64_t a = 0; a < rows_a; ++a) {
    for (std::int64_t b = symmetric ? a : 0; b < rows_b; ++b, ++row) {
      std::int64_t column = 0;
      for (std::int64_t c = 0; c < columns_a; ++c) {
        for (std::int64_t d = symmetric ? c : 0; d < columns_b;) {
          // A run of columns that lie in one panel.
          const std::int64_t panel = shape.panel_of(column);
          const std::int64_t within = column - panel * shape.panel;
          const std::int64_t count = std::min(shape.panel - within, columns_b - d);
          const double* const from = sums + shape.offset(panel) + row * shape.width(panel) + within;
          if (block.p == 0) {
            // Pairs with 1 and the errors alone: (0, b) and (0, d).
            for (std::int64_t n = 0; n < count; ++n) {
              const std::int64_t input = block.inputs_are_columns ? d + n : b;
              const std::int64_t unit = block.inputs_are_columns ? b : d + n;
              je[static_cast<std::size_t>(q.places[static_cast<std::size_t>(input)] + unit)] =
                  from[n];
            }
          } else if (block.inputs_are_columns) {
            const std::int64_t place = p.places[static_cast<std::size_t>(c)];
            double* const to = jj.row(place + a) + b;
            for (std::int64_t n = 0; n < count; ++n)
              to[q.places[static_cast<std::size_t>(d + n)]] = from[n];
            if (symmetric && a != b) {
              double* const mirrored = jj.row(place + b) + a;
              for (std::int64_t n = d == c ? 1 : 0; n < count; ++n)
                mirrored[q.places[static_cast<std::size_t>(d + n)]] = from[n];
            }
          } else {
            const std::int64_t place = p.places[static_cast<std::size_t>(a)];
            const std::int64_t other = q.places[static_cast<std::size_t>(b)];
            std::copy_n(from, count, jj.row(place + c) + other + d);
            if (symmetric && a != b) {
              for (std::int64_t n = d == c ? 1 : 0; n < count; ++n)
                jj.row(place + d + n)[other + c] = from[n];
            }
          }
          d += count;
          column += count;
        }
      }
    }
  }
}

}  // namespace chainrule::engine

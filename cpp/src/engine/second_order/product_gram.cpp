// SPDX-License-Identifier: Apache-2.0
#include "engine/second_order/product_gram.hpp"

#include <algorithm>

namespace chainrule::engine {
namespace {

constexpr std::int64_t kOverrun = kernels::kRowAlignment<double>;  // that kernels may touch

}  // namespace

ProductGram::ProductGram(const kernels::KernelTable<double>& kernels, const ParameterVector& vector,
                         const std::vector<GradientProduct<double>>& products, std::int64_t outputs,
                         std::int64_t batch, std::int64_t rows)
    : kernels_(kernels), outputs_(outputs) {
  constexpr std::int64_t pair_bytes = 1 << 20;
  factors_.push_back({1, 1, {}, {}, {vector.size()}, 0, 0, padded<double>(1)});
  input_stride_ = padded<double>(1);
  delta_stride_ = outputs_ * padded<double>(1);
  for (const GradientProduct<double>& product : products) add_factor(vector, product);
  for (std::size_t p = 0; p < factors_.size(); ++p)
    for (std::size_t q = std::max<std::size_t>(p, 1); q < factors_.size(); ++q) add_block(p, q);
  chunk_ =
      std::min({std::clamp<std::int64_t>(pair_bytes / (8 * pair_numbers_), 128, 512), batch, rows});
  for (Block& block : blocks_) {
    block.inputs.first *= chunk_;
    block.units.first *= chunk_;
  }
  inputs_ = Buffer<double>(chunk_ * input_stride_ + kOverrun);
  deltas_ = Buffer<double>(batch * delta_stride_ + kOverrun);
  pairs_ = Buffer<double>(chunk_ * pair_numbers_);
  sums_ = Buffer<double>(sum_numbers_);
  for (std::int64_t row = 0; row < chunk_; ++row)
    for (const Factor& factor : factors_)
      inputs_.data()[row * input_stride_ + factor.first_input + factor.inputs - 1] = 1.0;
}

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

void ProductGram::add_block(std::size_t p, std::size_t q) {
  const Factor& a = factors_[p];
  const Factor& b = factors_[q];
  Block block{p, q, {a.inputs, b.inputs, 0, 0}, {a.units, b.units, 0, 0}, false, {}, sum_numbers_};
  for (Pairs* pairs : {&block.inputs, &block.units}) {
    pairs->stride = row_stride<double>(pairs->count(p == q) + kOverrun - 1);
    pairs->first = pair_numbers_;
    pair_numbers_ += pairs->stride;
  }
  const std::int64_t inputs = block.inputs.count(p == q);
  const std::int64_t units = block.units.count(p == q);
  block.inputs_are_columns = inputs > units;
  block.shape = {std::min(inputs, units), std::max(inputs, units), kernels_.panel,
                 kernels::kRowAlignment<double>};
  sum_numbers_ += block.shape.rows * padded<double>(block.shape.columns);
  for (std::int64_t panel = 0; panel < block.shape.panels(); ++panel) {
    const auto work = static_cast<double>(block.shape.rows * block.shape.width(panel));
    tasks_.push_back({blocks_.size(), panel, work_, work});
    work_ += work;
  }
  blocks_.push_back(block);
}

void ProductGram::clear() { sums_.clear(); }

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

/// Of rows [rows.begin, rows.end) of the chunk that begins with row `first` of the batch.
void ProductGram::make_pairs(Range rows, std::int64_t first) {
  for (const Factor& factor : factors_) {
    for (std::int64_t i = rows.begin; factor.x.data && i < rows.end; ++i)
      std::copy_n(factor.x.row(first + i), factor.x.columns,
                  inputs_.data() + i * input_stride_ + factor.first_input);
  }
  const double* const inputs = inputs_.data() + rows.begin * input_stride_;
  const double* const deltas = deltas_.data() + (first + rows.begin) * delta_stride_;
  for (const Block& block : blocks_) {
    const Factor& p = factors_[block.p];
    const Factor& q = factors_[block.q];
    kernels_.pair_products({rows.size(), 1, inputs + p.first_input, input_stride_, 0, p.inputs,
                            inputs + q.first_input, input_stride_, 0, q.inputs, block.symmetric(),
                            pairs_.data() + block.inputs.first + rows.begin * block.inputs.stride,
                            block.inputs.stride});
    kernels_.pair_products(
        {rows.size(), outputs_, deltas + p.first_delta, delta_stride_, p.delta_stride, p.units,
         deltas + q.first_delta, delta_stride_, q.delta_stride, q.units, block.symmetric(),
         pairs_.data() + block.units.first + rows.begin * block.units.stride, block.units.stride});
  }
}

void ProductGram::add_products(const Task& task, std::int64_t rows) {
  constexpr std::int64_t cached = 128;  // rows that stay in a cache
  const Block& block = blocks_[task.block];
  const Pairs& narrow = block.inputs_are_columns ? block.units : block.inputs;
  const Pairs& wide = block.inputs_are_columns ? block.inputs : block.units;
  kernels_.weight_gradient(
      {block.shape, task.panel, 0, block.shape.rows, rows, pairs_.data() + narrow.first,
       narrow.stride, pairs_.data() + wide.first, wide.stride,
       sums_.data() + block.first + block.shape.offset(task.panel), cached, nullptr, true});
}

void ProductGram::add(ThreadContext& context, std::int64_t rows) {
  const ThreadSlice slice = context.slice();
  for (std::int64_t first = 0; first < rows; first += chunk_) {
    const std::int64_t count = std::min(chunk_, rows - first);
    make_pairs(slice.range(count), first);
    context.barrier();
    for (const Task& task : tasks_) {
      const double middle = (task.before + 0.5 * task.work) / work_;
      if (static_cast<int>(middle * slice.count) == slice.index) add_products(task, count);
    }
    context.barrier();
  }
}

void ProductGram::finish(SymmetricMatrix& jj, Vector& je) const {
  for (const Block& block : blocks_) put(block, jj, je);
}

/// From sums of pairs to the places of the parameters, a run of the wider pairs after the other.
void ProductGram::put(const Block& block, SymmetricMatrix& jj, Vector& je) const {
  const Factor& p = factors_[block.p];
  const Factor& q = factors_[block.q];
  const bool symmetric = block.symmetric();
  const Pairs& rows = block.inputs_are_columns ? block.units : block.inputs;
  const Pairs& columns = block.inputs_are_columns ? block.inputs : block.units;
  const double* const sums = sums_.data() + block.first;
  std::int64_t row = 0;
  for (std::int64_t a = 0; a < rows.columns_a; ++a) {
    for (std::int64_t b = symmetric ? a : 0; b < rows.columns_b; ++b, ++row) {
      std::int64_t column = 0;
      for (std::int64_t c = 0; c < columns.columns_a; ++c) {
        for (std::int64_t d = symmetric ? c : 0; d < columns.columns_b;) {
          // As many as lie in one panel.
          const std::int64_t panel = column / block.shape.panel;
          const std::int64_t within = column - panel * block.shape.panel;
          const std::int64_t count = std::min(block.shape.panel - within, columns.columns_b - d);
          const double* const from =
              sums + block.shape.offset(panel) + row * block.shape.width(panel) + within;
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

// SPDX-License-Identifier: Apache-2.0
#include "engine/nonzeros.hpp"

#include <numeric>

namespace chainrule::engine {
namespace {

std::int64_t tiles(std::int64_t items, std::int64_t tile) { return (items + tile - 1) / tile; }

/// The mean of the first `lists` counts, as a share of `terms`.
double mean_share(const kernels::TermLists& of, std::int64_t lists, std::int64_t terms) {
  const std::int64_t sum = std::accumulate(of.counts, of.counts + lists, std::int64_t{0});
  return static_cast<double>(sum) / static_cast<double>(lists * terms);
}

}  // namespace

template <class T>
Nonzeros<T>::Nonzeros(const kernels::KernelTable<T>& kernels, std::int64_t batch_size,
                      std::int64_t columns, bool backward)
    : kernels_(kernels), columns_(columns), words_(tiles(columns, 64)), bits_(batch_size * words_) {
  constexpr std::int64_t spare = 16;  // the lists are written in whole vectors
  const std::int64_t row_lists = tiles(batch_size, kernels.listed_rows);
  row_terms_ = Buffer<std::int32_t>(row_lists * (columns + spare));
  row_counts_ = Buffer<std::int32_t>(row_lists);
  by_rows_ = {row_terms_.data(), row_counts_.data(), columns + spare};
  if (!backward) return;
  const std::int64_t input_lists = tiles(columns, kernels.listed_inputs);
  input_terms_ = Buffer<std::int32_t>(input_lists * batch_size);
  input_counts_ = Buffer<std::int32_t>(input_lists);
  by_inputs_ = {input_terms_.data(), input_counts_.data(), batch_size};
}

template <class T>
void Nonzeros<T>::mark(const Tensor<T>& x, Range rows) {
  if (rows.size() == 0) return;
  std::uint64_t* bits = bits_.data() + rows.begin * words_;
  const std::int64_t list = rows.begin / kernels_.listed_rows;
  kernels_.nonzero_bits(x.row(rows.begin), x.stride, rows.size(), columns_, bits, words_);
  kernels_.list_columns(bits, words_, rows.size(), row_terms_.data() + list * by_rows_.capacity,
                        row_counts_.data() + list, by_rows_.capacity);
}

template <class T>
void Nonzeros<T>::list_rows(std::int64_t batch, Range inputs) {
  const std::int64_t list = inputs.begin / kernels_.listed_inputs;
  kernels_.list_rows(bits_.data(), words_, batch, inputs.begin, inputs.end,
                     input_terms_.data() + list * by_inputs_.capacity, input_counts_.data() + list,
                     by_inputs_.capacity);
}

template <class T>
double Nonzeros<T>::forward_share(std::int64_t rows) const {
  return mean_share(by_rows_, tiles(rows, kernels_.listed_rows), columns_);
}

template <class T>
double Nonzeros<T>::gradient_share(std::int64_t rows) const {
  return mean_share(by_inputs_, tiles(columns_, kernels_.listed_inputs), rows);
}

template class Nonzeros<float>;
template class Nonzeros<double>;

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
// by_row_: rows x words of 64 columns; by_column_: columns x words of 64 rows, the same bits
// transposed in blocks of 64 x 64.
#include "engine/input/nonzero_mask.hpp"

#include <algorithm>
#include <numeric>

namespace chainrule::engine {

using kernels::kBitsPerWord;
using kernels::mask_words;

template <class T>
NonzeroMask<T>::NonzeroMask(const kernels::KernelTable<T>& kernels, std::int64_t batch_size,
                            std::int64_t columns, int threads, bool by_column)
    : kernels_(kernels),
      batch_size_(batch_size),
      columns_(columns),
      words_(mask_words(columns)),
      by_row_(batch_size * words_),
      by_column_(by_column ? mask_words(batch_size) * columns : 0),
      counts_(by_column ? columns : 0),
      begin_(by_column ? (columns + 1) * threads : 0) {}

// x: columns -> the row's words of by_row_, a bit a column
template <class T>
void NonzeroMask<T>::take(std::int64_t row, const T* x) {
  kernels_.nonzero_mask(x, columns_, by_row_.data() + row * words_);
}

template <class T>
void NonzeroMask<T>::set_byte_values(const T* values) {
  byte_values_ = values;
  if (values && bytes_.empty()) bytes_ = Buffer<std::uint8_t>(batch_size_ * byte_stride());
}

// The same from bytes, which are copied to the row of bytes_ in the same pass.
template <class T>
void NonzeroMask<T>::take(std::int64_t row, const std::uint8_t* x) {
  kernels_.copy_with_nonzero_mask(x, columns_, bytes_.data() + row * byte_stride(),
                                  by_row_.data() + row * words_);
}

// by_column_(column, row word) from by_row_(row, column word), and counts_(column) = bits of the
// column. A thread owns words of columns, over all rows, so it waits for all rows before and writes
// to no other thread's words.
template <class T>
void NonzeroMask<T>::transpose(std::int64_t rows, ThreadSlice slice) {
  const std::int64_t row_words = mask_words(rows);
  const Range mine = slice.range(words_);
  for (std::int64_t word = mine.begin; word < mine.end; ++word) {
    const std::int64_t first = word * kBitsPerWord;
    const std::int64_t size = std::min<std::int64_t>(kBitsPerWord, columns_ - first);
    std::fill_n(counts_.data() + first, size, 0);
    for (std::int64_t row_word = 0; row_word < row_words; ++row_word) {
      const std::int64_t row = row_word * kBitsPerWord;
      kernels_.transpose_mask({by_row_.data() + row * words_ + word, words_,
                               std::min<std::int64_t>(kBitsPerWord, rows - row),
                               by_column_.data() + first * row_words + row_word, row_words, size,
                               counts_.data() + first});
    }
  }
}

// begin(j) = counts_(0) + ... + counts_(j - 1), j = 0..columns. Each thread makes its own, so none
// waits for it.
template <class T>
const std::int32_t* NonzeroMask<T>::begin(ThreadSlice slice) {
  std::int32_t* begin = begin_.data() + (columns_ + 1) * slice.index;
  std::partial_sum(counts_.data(), counts_.data() + columns_, begin + 1);
  return begin;
}

template class NonzeroMask<float>;
template class NonzeroMask<double>;

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
#include "engine/nonzero_marks.hpp"

#include <algorithm>
#include <numeric>

namespace chainrule::engine {

using kernels::kMarksOfWord;
using kernels::words_of_marks;

template <class T>
NonzeroMarks<T>::NonzeroMarks(const kernels::KernelTable<T>& kernels, std::int64_t batch_size,
                              std::int64_t columns, int threads, bool by_column)
    : kernels_(kernels),
      batch_size_(batch_size),
      columns_(columns),
      words_(words_of_marks(columns)),
      by_row_(batch_size * words_),
      by_column_(by_column ? words_of_marks(batch_size) * columns : 0),
      counts_(by_column ? columns : 0),
      begin_(by_column ? (columns + 1) * threads : 0) {}

template <class T>
void NonzeroMarks<T>::take(std::int64_t row, const T* x) {
  kernels_.mark(x, columns_, by_row_.data() + row * words_);
}

template <class T>
void NonzeroMarks<T>::expect_bytes(const T* number_of) {
  number_of_ = number_of;
  if (number_of && bytes_.empty()) bytes_ = Buffer<std::uint8_t>(batch_size_ * byte_stride());
}

template <class T>
void NonzeroMarks<T>::take(std::int64_t row, const std::uint8_t* x) {
  kernels_.mark_bytes(x, columns_, bytes_.data() + row * byte_stride(),
                      by_row_.data() + row * words_);
}

template <class T>
void NonzeroMarks<T>::turn(std::int64_t rows, Share share) {
  const std::int64_t row_words = words_of_marks(rows);
  const Range mine = share.of(words_);
  for (std::int64_t word = mine.begin; word < mine.end; ++word) {
    const std::int64_t first = word * kMarksOfWord;
    const std::int64_t size = std::min<std::int64_t>(kMarksOfWord, columns_ - first);
    std::fill_n(counts_.data() + first, size, 0);
    for (std::int64_t row_word = 0; row_word < row_words; ++row_word) {
      const std::int64_t row = row_word * kMarksOfWord;
      kernels_.turn_marks({by_row_.data() + row * words_ + word, words_,
                           std::min<std::int64_t>(kMarksOfWord, rows - row),
                           by_column_.data() + first * row_words + row_word, row_words, size,
                           counts_.data() + first});
    }
  }
}

template <class T>
const std::int32_t* NonzeroMarks<T>::begin(Share share) {
  std::int32_t* begin = begin_.data() + (columns_ + 1) * share.index;
  std::partial_sum(counts_.data(), counts_.data() + columns_, begin + 1);
  return begin;
}

template class NonzeroMarks<float>;
template class NonzeroMarks<double>;

}  // namespace chainrule::engine

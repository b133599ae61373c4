// SPDX-License-Identifier: Apache-2.0
// The first number among the caller's targets that a loss cannot compare outputs with.
#include "engine/input/target_values.hpp"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <type_traits>

#include "chainrule/error.hpp"
#include "chainrule/network.hpp"
#include "engine/input/column_text.hpp"
#include "engine/input/compressed_rows.hpp"
#include "engine/input/gather.hpp"
#include "model/number_text.hpp"

namespace chainrule {
namespace engine {
namespace {

/// The numbers that a row has, of compressed rows those that are stored.
template <class S>
struct Numbers {
  const char* first;
  std::int64_t count;
  std::int64_t stride;

  S at(std::int64_t k, std::int64_t bytes) const {
    S number;
    std::memcpy(&number, first + k * bytes, sizeof(number));
    return number;
  }
  S operator[](std::int64_t k) const { return at(k, stride); }
};

/// Calls visit(row, numbers) for each row.
template <class Visit>
void for_each_row(const RowsView& y, Visit visit) {
  with_type(y.type, [&]<class S>(S) {
    constexpr std::int64_t size = sizeof(S);
    const char* data = static_cast<const char*>(y.data);
    for (std::int64_t i = 0; i < y.rows; ++i) {
      if (y.compressed()) {
        const StoredRange stored(y, i);
        visit(i, Numbers<S>{data + stored.begin * size, stored.end - stored.begin, size});
      } else {
        visit(i, Numbers<S>{data + i * y.row_stride, y.columns, y.column_stride});
      }
    }
  });
}

/// Whether `bad` holds of one; of adjacent ones in a loop that vectorises.
template <class S, class Bad>
bool any(const Numbers<S>& numbers, Bad bad) {
  constexpr std::int64_t size = sizeof(S);
  int found = 0;
  if (numbers.stride == size) {
    for (std::int64_t k = 0; k < numbers.count; ++k) found |= bad(numbers.at(k, size)) ? 1 : 0;
  } else {
    for (std::int64_t k = 0; k < numbers.count; ++k) found |= bad(numbers[k]) ? 1 : 0;
  }
  return found != 0;
}

/// The sum in double, of eight interleaved sums: it is compared with a tolerance, so its order is
/// free.
template <class S>
double sum(const Numbers<S>& numbers) {
  double sums[8] = {};
  std::int64_t k = 0;
  for (; k + 8 <= numbers.count; k += 8)
    for (std::int64_t i = 0; i < 8; ++i) sums[i] += static_cast<double>(numbers[k + i]);
  for (; k < numbers.count; ++k) sums[0] += static_cast<double>(numbers[k]);
  double total = 0.0;
  for (const double s : sums) total += s;
  return total;
}

template <class S>
std::string text_of(S number) {
  if constexpr (std::is_floating_point_v<S>) {
    return model::number_text(number);
  } else {
    return std::to_string(number);
  }
}

/// Targets with what error texts call them.
struct Named {
  const RowsView& y;
  const char* name;
  const std::vector<std::string>& columns;

  /// The text that names the k-th number of a row.
  std::string place(std::int64_t row, std::int64_t k) const {
    std::int64_t column = k;
    if (y.compressed()) {
      const std::int64_t at = StoredRange(y, row).begin + k;
      with_types(y, [&](const auto*, const auto* indices) { column = read_once(indices, at); });
    }
    return std::string(name) + "[" + std::to_string(row) +
           (y.columns == 1 ? "" : ", " + column_text(columns, column)) + "]";
  }

  /// Throws Error for the first number that `bad` holds of.
  template <class Bad>
  void refuse(Bad bad, const char* text) const {
    for_each_row(y, [&](std::int64_t row, const auto& numbers) {
      if (!any(numbers, bad)) return;
      for (std::int64_t k = 0; k < numbers.count; ++k) {
        const auto number = numbers[k];
        if (bad(number)) throw Error(place(row, k) + " = " + text_of(number) + " " + text);
      }
    });
  }

  /// Throws Error unless the numbers of each position of a row sum to 1.
  void refuse_other_sums(std::int64_t positions) const {
    for_each_row(y, [&](std::int64_t row, const auto& numbers) {
      auto part = numbers;
      if (positions > 1) part.count = numbers.count / positions;
      for (std::int64_t p = 0; p < positions; ++p, part.first += part.count * part.stride)
        refuse_other_sum(part, row, positions > 1 ? p : -1);
    });
  }
  /// Probabilities that come as float32, or rounded to some digits, sum to 1 only about.
  template <class S>
  void refuse_other_sum(const Numbers<S>& numbers, std::int64_t row, std::int64_t position) const {
    constexpr double tolerance = 1e-3;
    const double total = sum(numbers);
    if (std::abs(total - 1.0) <= tolerance) return;
    char text[32];
    std::snprintf(text, sizeof(text), "%g", total);
    throw Error(std::string(name) + "[" + std::to_string(row) + "]" +
                (position < 0 ? "" : ", position " + std::to_string(position) + ",") + " sums to " +
                text + ": expected probabilities of the classes, which sum to 1");
  }
};

constexpr auto negative = [](auto number) { return number < 0; };

/// The lower of the two numbers that the targets of hinge are: -1 or 0, which is what compressed
/// rows do not store.
int low_of_hinge(const RowsView& y) {
  bool found = false;
  if (!y.compressed())
    for_each_row(y, [&](std::int64_t, const auto& row) { found = found || any(row, negative); });
  return found ? -1 : 0;
}

}  // namespace

// positions: of a row of y, each of which has its own probabilities.
void check_target_values(const TargetsView& y, const Loss& loss, const char* name,
                         const std::vector<std::string>& columns, std::int64_t positions) {
  if (y.labels) return;
  const Named targets{y.values, name, columns};
  if (loss.kind == Loss::Kind::cross_entropy) {
    targets.refuse(negative, "is negative: expected probabilities of the classes");
    targets.refuse_other_sums(positions);
  } else if (loss.kind == Loss::Kind::binary_cross_entropy) {
    targets.refuse([](auto number) { return number < 0 || number > 1; },
                   "is not a target of binary_cross_entropy: expected numbers in [0, 1]");
  } else if (loss.kind == Loss::Kind::poisson) {
    targets.refuse(negative, "is not a target of poisson: expected numbers, 0 or more");
  } else if (loss.kind == Loss::Kind::hinge) {
    const int low = low_of_hinge(y.values);
    targets.refuse([low](auto number) { return number != low && number != 1; },
                   "is not a target of hinge: expected only -1 and 1, or only 0 and 1");
  }
}

}  // namespace engine

std::int64_t first_wrong_label(const std::int64_t* labels, std::int64_t rows,
                               std::int64_t classes) {
  for (std::int64_t i = 0; i < rows; ++i)
    if (labels[i] < 0 || labels[i] >= classes) return i;
  return -1;
}

template <class T>
void check_targets(const TargetsView& y, const Loss& loss, const char* name,
                   const std::vector<std::string>& columns, std::int64_t positions) {
  check_finite<T>(y, name, columns);
  engine::check_target_values(y, loss, name, columns, positions);
}

template void check_targets<float>(const TargetsView&, const Loss&, const char*,
                                   const std::vector<std::string>&, std::int64_t);
template void check_targets<double>(const TargetsView&, const Loss&, const char*,
                                    const std::vector<std::string>&, std::int64_t);

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "engine/nonzeros.hpp"
#include "matrices.hpp"

namespace {

using namespace chainrule::engine;
using namespace chainrule::kernels;
using namespace chainrule::testing;

constexpr int64_t kInputs = 139, kUnits = 75;

/// A batch with zeros of both signs, some NaN and subnormals, and rows and columns of nothing else
/// than zeros.
template <class T>
Matrix<T> batch_of(int64_t rows, double density) {
  Draws draws(11);
  Matrix<T> x(rows, kInputs, kGarbage<T>);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < kInputs; ++j) {
      x(i, j) = T(0);
      const bool empty = i % 7 == 3 || (j >= 40 && j < 60);
      if (!empty && draws.uniform(0, 1) < density) x(i, j) = static_cast<T>(draws.uniform(-1, 1));
      if (x(i, j) == T(0) && j % 2 == 1) x(i, j) = -T(0);
    }
  }
  if (rows > 5 && density > 0) {
    x(5, 1) = std::numeric_limits<T>::quiet_NaN();
    x(5, 64) = std::numeric_limits<T>::min();
  }
  return x;
}

std::vector<int32_t> list(const TermLists& lists, int64_t tile) {
  const int32_t* first = lists.terms + tile * lists.capacity;
  return {first, first + lists.counts[tile]};
}

template <class T>
struct Marked {
  Marked(const KernelTable<T>& kernels, Matrix<T>& x, int64_t rows)
      : nonzeros(kernels, rows + 3, kInputs, true) {
    const Tensor<T> tensor{x.data(), kInputs, x.stride};
    // In two shares, as two threads would.
    const int64_t half = rows / 2 / kGranule<T> * kGranule<T>;
    nonzeros.mark(tensor, {half, rows});
    nonzeros.mark(tensor, {0, half});
    nonzeros.list_rows(rows, {48, kInputs});
    nonzeros.list_rows(rows, {0, 48});
  }
  Nonzeros<T> nonzeros;
};

/// The terms that any item of each tile needs, by plain loops; returns how many there are.
template <class Needs>
int64_t check_tiles(const TermLists& lists, int64_t items, int64_t tile, int64_t terms,
                    Needs needs) {
  int64_t listed = 0;
  for (int64_t first = 0; first < items; first += tile) {
    std::vector<int32_t> expected;
    for (int64_t term = 0; term < terms; ++term) {
      bool any = false;
      for (int64_t i = first; i < std::min(items, first + tile); ++i) any |= needs(i, term);
      if (any) expected.push_back(static_cast<int32_t>(term));
    }
    CHECK(list(lists, first / tile) == expected);
    listed += static_cast<int64_t>(expected.size());
  }
  return listed;
}

double share(int64_t listed, int64_t items, int64_t tile, int64_t terms) {
  return static_cast<double>(listed) / static_cast<double>((items + tile - 1) / tile * terms);
}

template <class T>
void check_lists(const std::string& isa, int64_t rows, double density) {
  const KernelTable<T>& k = kernels_of<T>(isa);
  Matrix<T> x = batch_of<T>(rows, density);
  const Marked<T> marked(k, x, rows);
  const int64_t by_rows = check_tiles(marked.nonzeros.by_rows(), rows, k.listed_rows, kInputs,
                                      [&](int64_t i, int64_t j) { return x(i, j) != 0; });
  CHECK(marked.nonzeros.forward_share(rows) ==
        doctest::Approx(share(by_rows, rows, k.listed_rows, kInputs)));
  const int64_t by_inputs = check_tiles(marked.nonzeros.by_inputs(), kInputs, k.listed_inputs, rows,
                                        [&](int64_t j, int64_t i) { return x(i, j) != 0; });
  CHECK(marked.nonzeros.gradient_share(rows) ==
        doctest::Approx(share(by_inputs, kInputs, k.listed_inputs, rows)));
}

/// One panel's products with lists and without.
template <class T>
void check_products(const std::string& isa, int64_t rows, double density) {
  const KernelTable<T>& k = kernels_of<T>(isa);
  Matrix<T> x = batch_of<T>(rows, density);
  const Marked<T> marked(k, x, rows);
  Draws draws(5);
  const auto uniform = [&] { return draws.uniform(-1, 1); };
  const PanelShape shape{kInputs, kUnits, k.panel, kGranule<T>};
  const Matrix<T> dy = filled<T>(rows, kUnits, T(0), uniform);
  const Matrix<T> bias = filled<T>(1, kUnits, T(0), uniform);
  std::vector<T> weight(static_cast<size_t>(kInputs * whole_granules<T>(kUnits)));
  for (T& w : weight) w = static_cast<T>(uniform());
  const int64_t panels = (kUnits + k.panel - 1) / k.panel;

  Matrix<T> y(rows, kUnits), listed_y(rows, kUnits);
  ForwardArgs<T> forward{shape, weight.data(), bias.data(), x.data(), x.stride, y.data(), y.stride,
                         0,     rows,          0,           panels,   kInputs,  nullptr};
  k.forward(forward);
  forward.y = listed_y.data();
  forward.lists = &marked.nonzeros.by_rows();
  k.forward(forward);
  CHECK(same_bits(y, listed_y));

  for (int64_t panel = 0; panel < panels; ++panel) {
    std::vector<T> g(weight.size(), T(7)), listed_g(weight.size(), T(7));
    for (const Range inputs : {Range{0, 48}, Range{48, 96}, Range{96, kInputs}}) {
      WeightGradientArgs<T> gradient{shape,    panel,    inputs.begin, inputs.end, rows,
                                     x.data(), x.stride, dy.data(),    dy.stride,  g.data(),
                                     rows,     nullptr,  nullptr};
      gradient.g = g.data() + inputs.begin * k.panel;
      k.weight_gradient(gradient);
      gradient.g = listed_g.data() + inputs.begin * k.panel;
      gradient.lists = &marked.nonzeros.by_inputs();
      k.weight_gradient(gradient);
    }
    CHECK(same_bits(g, listed_g));
  }
}

template <class Check>
void everywhere(Check check) {
  for (const std::string& isa : chainrule::kernels::available()) {
    CAPTURE(isa);
    for (const int64_t rows : {1, 3, 4, 19, 64, 67}) {
      CAPTURE(rows);
      for (const double density : {0.0, 0.02, 0.3, 1.0}) {
        CAPTURE(density);
        check(isa, rows, density);
      }
    }
  }
}

}  // namespace

TEST_CASE("lists hold what is not zero in any row or column of their tile, in order") {
  everywhere([](const std::string& isa, int64_t rows, double density) {
    check_lists<float>(isa, rows, density);
    check_lists<double>(isa, rows, density);
  });
}

TEST_CASE("products over lists have the bits of products over all terms") {
  everywhere([](const std::string& isa, int64_t rows, double density) {
    check_products<float>(isa, rows, density);
    check_products<double>(isa, rows, density);
  });
}

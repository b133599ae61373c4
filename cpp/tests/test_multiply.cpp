// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "matrices.hpp"

namespace {

using namespace chainrule::kernels;
using namespace chainrule::testing;

/// Sizes 1..33, which cover every tile remainder; instrumented builds take those around the tiles.
std::vector<int64_t> sizes() {
#ifdef CHAINRULE_TEST_QUICK
  return {1, 2, 5, 6, 7, 13, 16, 17, 33};
#else
  std::vector<int64_t> all(33);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i) + 1;
  return all;
#endif
}

template <class T>
PanelShape shape_of(int64_t rows, int64_t columns, int64_t panel) {
  return {rows, columns, panel, kRowAlignment<T>};
}

int64_t width_of(const PanelShape& s, int64_t first_column) {
  const int64_t left = s.columns - first_column;
  return std::min(s.panel, (left + s.alignment - 1) / s.alignment * s.alignment);
}

int64_t index_in_panels(const PanelShape& s, int64_t row, int64_t column) {
  const int64_t first = column / s.panel * s.panel;
  return first * s.rows + row * width_of(s, first) + (column - first);
}

/// The top left corner of `m`, in zero-padded column panels.
template <class T>
std::vector<T> packed(const Matrix<T>& m, const PanelShape& s) {
  std::vector<T> panels(static_cast<size_t>(s.rows * padded_columns<T>(s.columns)), T(0));
  for (int64_t i = 0; i < s.rows; ++i)
    for (int64_t j = 0; j < s.columns; ++j)
      panels[static_cast<size_t>(index_in_panels(s, i, j))] = m(i, j);
  return panels;
}

constexpr int64_t kMost = 33;

/// Small integers in x (batch x inputs), w (inputs x outputs), dy (batch x outputs) and bias, and
/// the sums over any number of leading terms, so that sums of floats must equal them.
struct Integers {
  Integers() : x(make(1)), w(make(2)), dy(make(3)), bias(make(4)) {
    forward = prefix_sums([&](int64_t i, int64_t j, int64_t k) { return x[i][k] * w[k][j]; });
    for (auto& sums : forward)
      for (auto& row : sums)
        for (size_t j = 0; j < row.size(); ++j) row[j] += bias[0][j];
    weight = prefix_sums([&](int64_t i, int64_t j, int64_t k) { return x[k][i] * dy[k][j]; });
    input = prefix_sums([&](int64_t i, int64_t j, int64_t k) { return dy[i][k] * w[j][k]; });
  }

  using Table = std::vector<std::vector<int64_t>>;
  Table x, w, dy, bias;
  std::vector<Table> forward, weight, input;  // [terms][row][column]

 private:
  static Table make(uint64_t seed) {
    Draws draws(seed);
    Table table(kMost, std::vector<int64_t>(kMost));
    for (auto& row : table)
      for (auto& value : row) value = draws.integer(-9, 9);
    return table;
  }

  template <class Term>
  static std::vector<Table> prefix_sums(Term term) {
    std::vector<Table> sums(kMost + 1, Table(kMost, std::vector<int64_t>(kMost, 0)));
    for (int64_t k = 0; k < kMost; ++k)
      for (int64_t i = 0; i < kMost; ++i)
        for (int64_t j = 0; j < kMost; ++j) sums[k + 1][i][j] = sums[k][i][j] + term(i, j, k);
    return sums;
  }
};

template <class T>
Matrix<T> corner(const Integers::Table& table, int64_t rows, int64_t columns) {
  Matrix<T> m(rows, columns, kGarbage<T>);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) m(i, j) = static_cast<T>(table[i][j]);
  return m;
}

/// Elements of the (rows x columns) result that differ from the exact sums.
template <class T, class At>
int64_t mismatches(const Integers::Table& exact, int64_t rows, int64_t columns, At at) {
  int64_t count = 0;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) count += !(at(i, j) == static_cast<T>(exact[i][j]));
  return count;
}

constexpr int64_t kGuard = -12345;  // stands behind every result

template <class T>
int64_t check_size(const KernelTable<T>& k, const Integers& n, int64_t batch, int64_t inputs,
                   int64_t outputs) {
  int64_t wrong = 0;
  const PanelShape shape = shape_of<T>(inputs, outputs, k.panel);
  const Matrix<T> x = corner<T>(n.x, batch, inputs);
  const Matrix<T> dy = corner<T>(n.dy, batch, outputs);
  const std::vector<T> weight = packed(corner<T>(n.w, inputs, outputs), shape);
  std::vector<T> bias(static_cast<size_t>(padded_columns<T>(outputs)), T(0));
  std::copy_n(n.bias[0].begin(), outputs, bias.begin());

  Matrix<T> y(batch + 1, outputs, static_cast<T>(kGuard));
  const int64_t panels = (outputs + k.panel - 1) / k.panel;
  k.forward({shape, weight.data(), bias.data(), x.data(), x.stride, y.data(), y.stride, 0, batch, 0,
             panels, 1 + inputs / 2});
  wrong +=
      mismatches<T>(n.forward[inputs], batch, outputs, [&](auto i, auto j) { return y(i, j); });
  for (int64_t j = 0; j < y.stride; ++j) wrong += y(batch, j) != static_cast<T>(kGuard);

  const size_t size = weight.size();
  std::vector<T> g(size + 64, static_cast<T>(kGuard));
  for (int64_t p = 0; p < panels; ++p) {
    k.weight_gradient({shape, p, 0, inputs, batch, x.data(), x.stride, dy.data(), dy.stride,
                       g.data() + p * k.panel * inputs, 1 + batch / 2, nullptr});
  }
  wrong += mismatches<T>(n.weight[batch], inputs, outputs, [&](auto i, auto j) {
    return g[static_cast<size_t>(index_in_panels(shape, i, j))];
  });
  wrong += std::count(g.begin() + static_cast<std::ptrdiff_t>(size), g.end(),
                      static_cast<T>(kGuard)) != 64;

  std::vector<T> dy_panels(static_cast<size_t>(padded_columns<T>(batch) * outputs), kGarbage<T>);
  k.pack_transposed(dy.data(), dy.stride, batch, outputs, dy_panels.data());
  std::vector<T> transposed(dy_panels.size());  // missing rows are zero
  const PanelShape rows = shape_of<T>(outputs, batch, k.panel);
  for (int64_t i = 0; i < batch; ++i)
    for (int64_t j = 0; j < outputs; ++j)
      transposed[static_cast<size_t>(index_in_panels(rows, j, i))] = dy(i, j);
  wrong += dy_panels != transposed;
  Matrix<T> dx(batch + 1, inputs, static_cast<T>(kGuard));
  const int64_t group = 2;
  std::vector<T> scratch(static_cast<size_t>(group * inputs * k.panel), kGarbage<T>);
  k.input_gradient({shape, weight.data(), dy_panels.data(), batch, dx.data(), dx.stride,
                    scratch.data(), group, 1 + inputs / 2, k.panel});
  wrong += mismatches<T>(n.input[outputs], batch, inputs, [&](auto i, auto j) { return dx(i, j); });
  // The padding belongs to the buffer's owner.
  for (int64_t i = 0; i <= batch; ++i)
    for (int64_t j = i < batch ? inputs : 0; j < dx.stride; ++j)
      wrong += dx(i, j) != static_cast<T>(kGuard);
  return wrong;
}

template <class T>
void check_all_sizes(const std::string& isa) {
  static const Integers numbers;
  const KernelTable<T>& k = kernels_of<T>(isa);
  int64_t wrong = 0;
  for (const int64_t batch : sizes())
    for (const int64_t inputs : sizes())
      for (const int64_t outputs : sizes()) wrong += check_size(k, numbers, batch, inputs, outputs);
  CHECK(wrong == 0);
}

/// Random operands larger than a panel, for comparison with plain loops that use one std::fma a
/// term, in order.
template <class T>
struct Operands {
  explicit Operands(int64_t panel, uint64_t seed = 7, int64_t batch_ = 137, int64_t inputs_ = 101,
                    int64_t outputs_ = 151)
      : batch(batch_),
        inputs(inputs_),
        outputs(outputs_),
        shape(shape_of<T>(inputs, outputs, panel)),
        draws(seed),
        x(draw(batch, inputs)),
        w(draw(inputs, outputs)),
        dy(draw(batch, outputs)),
        bias(filled<T>(1, outputs, T(0), [&] { return draws.uniform(-1, 1); })),
        weight(packed(w, shape)) {}

  Matrix<T> draw(int64_t rows, int64_t columns) {
    return filled<T>(rows, columns, kGarbage<T>, [&] { return draws.uniform(-1, 1); });
  }

  int64_t panels() const { return (outputs + shape.panel - 1) / shape.panel; }
  ForwardArgs<T> forward(Matrix<T>& y) const {
    return {shape, weight.data(), bias.data(), x.data(), x.stride, y.data(), y.stride,
            0,     batch,         0,           panels(), inputs};
  }

  int64_t batch, inputs, outputs;
  PanelShape shape;
  Draws draws;
  Matrix<T> x, w, dy, bias;
  std::vector<T> weight;
};

/// With sums cut into parts of `block` terms, which must not show.
template <class T>
void check_plain_fma(const std::string& isa, int64_t block) {
  const KernelTable<T>& k = kernels_of<T>(isa);
  const Operands<T> o(k.panel);

  Matrix<T> y(o.batch, o.outputs), plain_y(o.batch, o.outputs);
  ForwardArgs<T> forward = o.forward(y);
  forward.block = block;
  k.forward(forward);
  for (int64_t i = 0; i < o.batch; ++i) {
    for (int64_t j = 0; j < o.outputs; ++j) {
      T sum = o.bias(0, j);
      for (int64_t t = 0; t < o.inputs; ++t) sum = std::fma(o.x(i, t), o.w(t, j), sum);
      plain_y(i, j) = sum;
    }
  }
  CHECK(same_bits(y, plain_y));

  Matrix<T> g(o.inputs, o.outputs), plain_g(o.inputs, o.outputs);
  std::vector<T> panels(o.weight.size());
  constexpr int64_t chunk = 48;
  PrefetchCursor cursor{reinterpret_cast<const char*>(o.x.data()),
                        o.x.stride * int64_t(sizeof(T)),
                        o.inputs * int64_t(sizeof(T)),
                        nullptr,
                        0,
                        3,
                        0};
  for (int64_t p = 0; p < o.panels(); ++p) {
    const int64_t width = width_of(o.shape, p * k.panel);
    for (int64_t first = 0; first < o.inputs; first += chunk) {
      k.weight_gradient({o.shape, p, first, std::min(o.inputs, first + chunk), o.batch, o.x.data(),
                         o.x.stride, o.dy.data(), o.dy.stride,
                         panels.data() + p * k.panel * o.inputs + first * width, block, &cursor});
    }
  }
  for (int64_t t = 0; t < o.inputs; ++t) {
    for (int64_t j = 0; j < o.outputs; ++j) {
      g(t, j) = panels[static_cast<size_t>(index_in_panels(o.shape, t, j))];
      T sum = 0;
      for (int64_t i = 0; i < o.batch; ++i) sum = std::fma(o.x(i, t), o.dy(i, j), sum);
      plain_g(t, j) = sum;
    }
  }
  CHECK(same_bits(g, plain_g));
  CHECK(cursor.next == cursor.end);

  Matrix<T> dx(o.batch, o.inputs), plain_dx(o.batch, o.inputs);
  std::vector<T> dy_panels(static_cast<size_t>(padded_columns<T>(o.batch) * o.outputs));
  k.pack_transposed(o.dy.data(), o.dy.stride, o.batch, o.outputs, dy_panels.data());
  const int64_t group = block % 2 == 0 ? 1 : 3;
  std::vector<T> scratch(static_cast<size_t>(group * chunk * k.panel), kGarbage<T>);
  const int64_t columns = (block + k.panel - 1) / k.panel * k.panel;
  k.input_gradient({o.shape, o.weight.data(), dy_panels.data(), o.batch, dx.data(), dx.stride,
                    scratch.data(), group, chunk, columns});
  for (int64_t i = 0; i < o.batch; ++i) {
    for (int64_t t = 0; t < o.inputs; ++t) {
      T sum = 0;
      for (int64_t j = 0; j < o.outputs; ++j) sum = std::fma(o.w(t, j), o.dy(i, j), sum);
      plain_dx(i, t) = sum;
    }
  }
  CHECK(same_bits(dx, plain_dx));

  Matrix<T> more(o.batch, o.inputs);
  for (int64_t i = 0; i < o.batch; ++i) {
    for (int64_t t = 0; t < o.inputs; ++t) {
      more(i, t) = o.x(i, t);
      plain_dx(i, t) += o.x(i, t);
    }
  }
  constexpr int64_t vectors = 48;
  scratch.assign(static_cast<size_t>(group * vectors * k.panel), kGarbage<T>);
  k.input_gradient({o.shape, o.weight.data(), dy_panels.data(), o.batch, dx.data(), dx.stride,
                    scratch.data(), group, vectors, columns, more.data()});
  CHECK(same_bits(dx, plain_dx));

  std::vector<T> sums(static_cast<size_t>(o.dy.stride)), plain_sums(sums.size());
  k.column_sums(o.dy.data(), o.dy.stride, o.batch, 0, o.dy.stride, sums.data(), false);
  for (int64_t i = 0; i < o.batch; ++i)
    for (int64_t j = 0; j < o.outputs; ++j) plain_sums[static_cast<size_t>(j)] += o.dy(i, j);
  sums.resize(static_cast<size_t>(o.outputs));
  plain_sums.resize(sums.size());
  CHECK(same_bits(sums, plain_sums));
}

template <class T>
void check_parts(const std::string& isa) {
  const KernelTable<T>& k = kernels_of<T>(isa);
  const Operands<T> o(k.panel);
  Matrix<T> whole(o.batch, o.outputs), parts(o.batch, o.outputs, static_cast<T>(kGuard));
  k.forward(o.forward(whole));
  int64_t row = 0;
  for (const int64_t end : {int64_t{1}, int64_t{8}, int64_t{64}, o.batch}) {
    for (int64_t p = 0; p < o.panels(); ++p) {
      ForwardArgs<T> f = o.forward(parts);
      f.row_begin = row;
      f.row_end = end;
      f.panel_begin = p;
      f.panel_end = p + 1;
      k.forward(f);
    }
    row = end;
    if (row < o.batch) CHECK(parts(row, 0) == static_cast<T>(kGuard));
  }
  CHECK(same_bits(whole, parts));
}

/// Magnitudes from 2^-40 to 2^40, and sums that cancel all but the last bits of a product: where a
/// multiplication and an addition that round one after the other differ from the fused one.
template <class T>
void check_hard_sums(const std::string& isa) {
  const KernelTable<T>& k = kernels_of<T>(isa);
  Draws draws(11);
  int64_t wrong = 0, unfused = 0;
  const int64_t columns = kRowAlignment<T>;
  const PanelShape shape = shape_of<T>(1, columns, k.panel);
  const auto wide = [&] { return std::ldexp(draws.uniform(-2, 2), int(draws.integer(-40, 40))); };
  for (int64_t trial = 0; trial < 4000; ++trial) {
    Matrix<T> x(1, 1), y(1, columns);
    x(0, 0) = static_cast<T>(wide());
    Matrix<T> w = filled<T>(1, columns, T(0), wide), bias = filled<T>(1, columns, T(0), wide);
    for (int64_t j = 0; j < columns / 2; ++j) bias(0, j) = -x(0, 0) * w(0, j);
    const std::vector<T> weight = packed(w, shape);
    k.forward(
        {shape, weight.data(), bias.data(), x.data(), x.stride, y.data(), y.stride, 0, 1, 0, 1, 1});
    for (int64_t j = 0; j < columns; ++j) {
      const T product = x(0, 0) * w(0, j);
      wrong += y(0, j) != std::fma(x(0, 0), w(0, j), bias(0, j));
      unfused += y(0, j) != product + bias(0, j);
    }
  }
  CHECK(wrong == 0);
  CHECK(unfused > 1000);
}

}  // namespace

TEST_CASE("products of small integers are exact in all three orientations") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_all_sizes<float>(isa);
    check_all_sizes<double>(isa);
  }
}

TEST_CASE("every sum is one std::fma a term, in order, started from the bias") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    for (const int64_t block : {int64_t{1} << 30, int64_t{40}}) {
      CAPTURE(block);
      check_plain_fma<float>(isa, block);
      check_plain_fma<double>(isa, block);
    }
  }
}

TEST_CASE("rows and panels can be computed apart") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_parts<float>(isa);
    check_parts<double>(isa);
  }
}

TEST_CASE("multiply-adds are fused whatever the magnitudes") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_hard_sums<float>(isa);
    check_hard_sums<double>(isa);
  }
}

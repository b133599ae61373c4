// SPDX-License-Identifier: Apache-2.0
// Second derivatives: their values' part has the bits of the gradients, their tangents are
// differences of gradients, and eigenvalues are those of the whole matrix.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/hessian.hpp"
#include "engine/second_order/lanczos.hpp"
#include "networks.hpp"
#include "random_graphs.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

using Act = Activation::Kind;
using Vector = std::vector<double>;

/// All of the network's gradients, one after the other.
Vector gradients(Network<double>& network, const Inputs& x, const Targets& y, const Loss& loss) {
  network.compute_gradients(x, y, loss, false, 1, nullptr);
  Vector all;
  for (const ParameterInfo& info : network.parameters()) {
    if (!info.trainable) continue;
    const Vector part = gradient(network, info);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

void move(Network<double>& network, const Vector& v, double step) {
  auto next = v.begin();
  for (const ParameterInfo& info : network.parameters()) {
    if (!info.trainable) continue;
    Vector values = parameter(network, info);
    for (double& value : values) value += step * *next++;
    network.set_parameter(info.name, values.data());
  }
}

Vector direction(int64_t size) {
  Draws draws(5);
  Vector v;
  for (int64_t i = 0; i < size; ++i) v.push_back(draws.uniform(-1, 1));
  return v;
}

/// The gradient's bits are those of backpropagation, and H v is a difference of gradients.
void check(Network<double> network, const DataSet& data, const TargetsView& y, const Loss& loss,
           bool smooth) {
  const RowsView x = data.inputs_view();
  Hessian hessian(network, x, y, loss, 2);
  const auto size = static_cast<size_t>(hessian.size());
  Vector values(size);
  hessian.gradient(values.data());
  CHECK(values == gradients(network, x, y, loss));
  const Vector v = direction(hessian.size());
  Vector product(size);
  hessian.multiply(v.data(), product.data());
  Hessian alone(network, x, y, loss, 1);
  Vector again(size);
  alone.multiply(v.data(), again.data());
  CHECK(again == product);
  if (!smooth) return;
  constexpr double step = 1e-5;
  move(network, v, step);
  const Vector up = gradients(network, x, y, loss);
  move(network, v, -2 * step);
  const Vector down = gradients(network, x, y, loss);
  for (size_t i = 0; i < size; ++i)
    CHECK(product[i] == doctest::Approx((up[i] - down[i]) / (2 * step)).epsilon(1e-5).scale(1.0));
}

TEST_CASE("second derivatives of activations") {
  const DataSet data(11, 5, 3);
  for (const std::string& kind : Activation::kinds()) {
    CAPTURE(kind);
    const Activation activation = Activation::from_config({kind, {}});
    Layers layers{Dense(9, activation), ActivationLayer(activation), dense(3)};
    check(Network<double>(layers, 5, 1), data, data.by_row(), Loss::defaults(Loss::Kind::mse),
          false);
  }
}

TEST_CASE("second derivatives of losses") {
  const DataSet data(21, 5, 4);
  for (const std::string& kind : Loss::kinds()) {
    CAPTURE(kind);
    const Loss loss = Loss::from_config({kind, {}});
    TargetsView y = loss.takes_labels() ? data.by_label() : data.by_row();
    y.sample_weights = data.weights.data();
    check(Network<double>({dense(7, Act::tanh), dense(4)}, 5, 1), data, y, loss, false);
  }
}

TEST_CASE("second derivatives of random graphs") {
  const DataSet data(9, 4, 3);
  for (uint64_t seed = 0; seed < 30; ++seed) {
    CAPTURE(seed);
    Graph graph = GraphDraws(seed).draw(4, 3, 6);
    check(Network<double>(graph, seed), data, data.by_row(), Loss::defaults(Loss::Kind::log_cosh),
          true);
  }
}

TEST_CASE("second derivatives of a network that several threads work on") {
  const DataSet data(200, 40, 5);
  check(Network<double>({dense(90, Act::gelu), dense(70, Act::tanh), dense(5)}, 40, 1), data,
        data.by_label(), Loss::defaults(Loss::Kind::cross_entropy), true);
}

TEST_CASE("the Hessian copies the parameters and frozen layers have no part in it") {
  const DataSet data(8, 3, 2);
  const RowsView x = data.inputs_view();
  const TargetsView y = data.by_row();
  const Loss loss = Loss::defaults(Loss::Kind::mse);
  Network<float> network({dense(4, Act::tanh), dense(2)}, 3, 1);
  Hessian hessian(network, x, y, loss);
  CHECK(hessian.size() == 26);
  Vector before(26 * 26);
  hessian.matrix(before.data());
  const std::vector<float> zeros(12, 0.0f);
  network.set_parameter("0.weight", zeros.data());
  Vector after(26 * 26);
  hessian.matrix(after.data());
  CHECK(after == before);
  network.set_trainable("0", false);
  CHECK(Hessian(network, x, y, loss).size() == 10);
  Hessian moved = std::move(hessian);
  CHECK(moved.size() == 26);
}

TEST_CASE("eigenvalues") {
  // Householder's reflection of a diagonal has the diagonal's eigenvalues.
  constexpr int64_t size = 150;
  Vector diagonal;
  for (int64_t i = 0; i < size; ++i)
    diagonal.push_back((i % 3 == 0 ? -1.0 : 1.0) * (10.0 + static_cast<double>(i * i)));
  Vector u = direction(size);
  double norm = 0.0;
  for (const double value : u) norm += value * value;
  const auto reflect = [&](Vector& w) {
    double part = 0.0;
    for (size_t i = 0; i < w.size(); ++i) part += u[i] * w[i];
    for (size_t i = 0; i < w.size(); ++i) w[i] -= 2.0 * part / norm * u[i];
  };
  const auto multiply = [&](const double* v, double* product) {
    Vector w(v, v + size);
    reflect(w);
    for (size_t i = 0; i < w.size(); ++i) w[i] *= diagonal[i];
    reflect(w);
    std::copy(w.begin(), w.end(), product);
  };
  Vector sorted = diagonal;
  std::sort(sorted.begin(), sorted.end(),
            [](double a, double b) { return std::abs(a) > std::abs(b); });
  LanczosOptions options;
  options.count = 6;
  options.tolerance = 1e-9;
  const HessianEigenvalues found = engine::lanczos(size, multiply, options);
  CHECK(found.converged);
  CHECK(found.iterations < size);
  for (size_t i = 0; i < 6; ++i) {
    CHECK(found.values[i] == doctest::Approx(sorted[i]).epsilon(1e-12));
    CHECK(found.residuals[i] <= 1e-9 * std::abs(sorted[0]));
  }
  // Each as often as it occurs, where there are few: by new vectors to start from.
  const HessianEigenvalues same = engine::lanczos(5,
                                                  [](const double* v, double* product) {
                                                    for (int i = 0; i < 5; ++i)
                                                      product[i] = (i < 3 ? 2.0 : -1.0) * v[i];
                                                  },
                                                  {5});
  const double expected[] = {2, 2, 2, -1, -1};
  for (size_t i = 0; i < 5; ++i) CHECK(same.values[i] == doctest::Approx(expected[i]));
  options.max_iterations = 8;
  CHECK_FALSE(engine::lanczos(size, multiply, options).converged);
  options.count = size + 1;
  CHECK_THROWS_AS(engine::lanczos(size, multiply, options), Error);
}

TEST_CASE("a Hessian refuses what does not fit") {
  const DataSet data(8, 3, 2);
  const Network<double> network({dense(2)}, 3, 1);
  const Loss loss = Loss::defaults(Loss::Kind::mse);
  const DataSet wide(8, 4, 2);
  CHECK_THROWS_AS(Hessian(network, wide.inputs_view(), data.by_row(), loss), Error);
  const DataSet more(9, 3, 2);
  CHECK_THROWS_AS(Hessian(network, more.inputs_view(), data.by_row(), loss), Error);
}

}  // namespace

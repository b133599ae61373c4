// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "chainrule/optimizer.hpp"
#include "engine/optimizer/update.hpp"
#include "matrices.hpp"
#include "model/optimizer_options.hpp"

namespace {

using namespace chainrule;
using chainrule::engine::make_rule;
using namespace chainrule::kernels;
using namespace chainrule::testing;

using Slots = std::array<double, kMostOptimizerSlots>;

double sign(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : 0.0; }

// One weight's step `t` (counted from 1) as torch.optim's documentation writes it, lion as in its
// paper; the slots are in the order of Optimizer::slots().

double plain_step(const Sgd& o, int t, double w, double g, Slots& s) {
  g += o.weight_decay * w;
  if (o.momentum == 0.0) return w - o.learning_rate * g;
  s[0] = t == 1 ? g : o.momentum * s[0] + (1.0 - o.dampening) * g;
  return w - o.learning_rate * (o.nesterov ? g + o.momentum * s[0] : s[0]);
}

double plain_step(const AdaGrad& o, int t, double w, double g, Slots& s) {
  g += o.weight_decay * w;
  s[0] += g * g;
  return w - o.learning_rate / (1.0 + (t - 1) * o.lr_decay) * g / (std::sqrt(s[0]) + o.epsilon);
}

double plain_step(const RmsProp& o, int, double w, double g, Slots& s) {
  g += o.weight_decay * w;
  s[0] = o.rho * s[0] + (1.0 - o.rho) * g * g;
  double v = s[0];
  double& average = o.momentum > 0.0 ? s[2] : s[1];
  if (o.centered) {
    average = o.rho * average + (1.0 - o.rho) * g;
    v -= average * average;
  }
  const double d = g / (std::sqrt(v) + o.epsilon);
  if (o.momentum == 0.0) return w - o.learning_rate * d;
  s[1] = o.momentum * s[1] + d;
  return w - o.learning_rate * s[1];
}

double plain_step(const Adam& o, int t, double w, double g, Slots& s) {
  g += o.weight_decay * w;
  s[0] = o.beta1 * s[0] + (1.0 - o.beta1) * g;
  s[1] = o.beta2 * s[1] + (1.0 - o.beta2) * g * g;
  double v = s[1];
  if (o.amsgrad) v = s[2] = std::max(s[2], v);
  const double m_hat = s[0] / (1.0 - std::pow(o.beta1, t));
  const double v_hat = v / (1.0 - std::pow(o.beta2, t));
  const double epsilon =
      o.epsilon_hat ? o.epsilon / std::sqrt(1.0 - std::pow(o.beta2, t)) : o.epsilon;
  return w - o.learning_rate * m_hat / (std::sqrt(v_hat) + epsilon);
}

double plain_step(const AdamW& o, int t, double w, double g, Slots& s) {
  w -= o.learning_rate * o.weight_decay * w;
  return plain_step(Adam{o.learning_rate, o.beta1, o.beta2, o.epsilon, o.amsgrad, o.epsilon_hat}, t,
                    w, g, s);
}

double plain_step(const NAdam& o, int t, double w, double g, Slots& s) {
  const auto mu = [&](int i) {
    return o.beta1 * (1.0 - 0.5 * std::pow(0.96, i * o.momentum_decay));
  };
  double product = 1.0;
  for (int i = 1; i <= t; ++i) product *= mu(i);
  if (o.decoupled_weight_decay) w -= o.learning_rate * o.weight_decay * w;
  if (!o.decoupled_weight_decay) g += o.weight_decay * w;
  s[0] = o.beta1 * s[0] + (1.0 - o.beta1) * g;
  s[1] = o.beta2 * s[1] + (1.0 - o.beta2) * g * g;
  const double divisor = std::sqrt(s[1] / (1.0 - std::pow(o.beta2, t))) + o.epsilon;
  w -= o.learning_rate * (1.0 - mu(t)) / (1.0 - product) * g / divisor;
  return w - o.learning_rate * mu(t + 1) / (1.0 - product * mu(t + 1)) * s[0] / divisor;
}

double plain_step(const RAdam& o, int t, double w, double g, Slots& s) {
  if (o.decoupled_weight_decay) w -= o.learning_rate * o.weight_decay * w;
  if (!o.decoupled_weight_decay) g += o.weight_decay * w;
  s[0] = o.beta1 * s[0] + (1.0 - o.beta1) * g;
  s[1] = o.beta2 * s[1] + (1.0 - o.beta2) * g * g;
  const double m_hat = s[0] / (1.0 - std::pow(o.beta1, t));
  const double correction = 1.0 - std::pow(o.beta2, t);
  const double n = 2.0 / (1.0 - o.beta2) - 1.0;
  const double rho = n - 2.0 * t * std::pow(o.beta2, t) / correction;
  if (rho <= 5.0) return w - o.learning_rate * m_hat;
  const double r = std::sqrt((rho - 4.0) * (rho - 2.0) * n / ((n - 4.0) * (n - 2.0) * rho));
  return w - o.learning_rate * m_hat * r * std::sqrt(correction) / (std::sqrt(s[1]) + o.epsilon);
}

double plain_step(const Adadelta& o, int, double w, double g, Slots& s) {
  g += o.weight_decay * w;
  s[0] = o.rho * s[0] + (1.0 - o.rho) * g * g;
  const double d = std::sqrt(s[1] + o.epsilon) / std::sqrt(s[0] + o.epsilon) * g;
  s[1] = o.rho * s[1] + (1.0 - o.rho) * d * d;
  return w - o.learning_rate * d;
}

double plain_step(const Lion& o, int, double w, double g, Slots& s) {
  w -= o.learning_rate * o.weight_decay * w;
  w -= o.learning_rate * sign(o.beta1 * s[0] + (1.0 - o.beta1) * g);
  s[0] = o.beta2 * s[0] + (1.0 - o.beta2) * g;
  return w;
}

double plain_step(const Optimizer& o, int t, double w, double g, Slots& s) {
  double stepped = 0.0;
  chainrule::model::with_options(
      o, [&](const auto& options) { stepped = plain_step(options, t, w, g, s); });
  return stepped;
}

std::vector<Optimizer> variants() {
  return {
      Sgd{},
      Sgd{.momentum = 0.9},
      Sgd{.momentum = 0.75, .dampening = 0.25, .weight_decay = 0.01},
      Sgd{.momentum = 0.9, .nesterov = true},
      AdaGrad{},
      AdaGrad{.lr_decay = 0.1, .weight_decay = 0.02},
      RmsProp{},
      RmsProp{.centered = true},
      RmsProp{.momentum = 0.8, .weight_decay = 0.02},
      RmsProp{.momentum = 0.8, .centered = true},
      Adam{},
      Adam{.amsgrad = true, .weight_decay = 0.05},
      Adam{.epsilon = 1e-2, .epsilon_hat = true},
      AdamW{},
      AdamW{.amsgrad = true, .weight_decay = 0.1},
      Adadelta{},
      Adadelta{.weight_decay = 0.05},
      NAdam{},
      NAdam{.beta1 = 0.7, .momentum_decay = 0.5, .weight_decay = 0.05},
      NAdam{.decoupled_weight_decay = true, .weight_decay = 0.1},
      RAdam{},
      RAdam{.beta2 = 0.9, .weight_decay = 0.05},
      RAdam{.decoupled_weight_decay = true, .weight_decay = 0.1},
      Lion{},
      Lion{.weight_decay = 0.5},
  };
}

constexpr int64_t kSize = 592;  // blocks of prepared gradients, the last one shorter
constexpr int kSteps = 6;

template <class T>
struct Trained {
  std::vector<T> weight, slots[kMostOptimizerSlots];
};

template <class T>
std::vector<T> gradient_of(int step) {
  Draws draws(40 + static_cast<uint64_t>(step));
  std::vector<T> g(kSize);
  for (T& value : g) value = static_cast<T>(draws.uniform(-1, 1));
  return g;
}

template <class T>
Trained<T> start(const Optimizer& o) {
  Draws draws(1);
  Trained<T> t;
  t.weight.resize(kSize);
  for (T& w : t.weight) w = static_cast<T>(draws.uniform(-1, 1));
  for (size_t s = 0; s < o.slots().size(); ++s) t.slots[s].assign(kSize, T(0));
  return t;
}

template <class T>
UpdateArgs<T> arguments(Trained<T>& t, const std::vector<T>& g, double l1, double l2) {
  UpdateArgs<T> f{};
  f.weight = t.weight.data();
  f.gradient = g.data();
  for (int i = 0; i < kMostOptimizerSlots && !t.slots[i].empty(); ++i)
    f.slots[i] = t.slots[i].data();
  f.size = kSize;
  f.l1 = static_cast<T>(l1);
  f.l2 = static_cast<T>(l2);
  return f;
}

/// Weights and slots after some steps with penalties, clipping by value and a clipping factor.
template <class T>
Trained<T> train(const std::string& isa, const Optimizer& o, double l1, double l2, double factor) {
  Trained<T> t = start<T>(o);
  for (int step = 1; step <= kSteps; ++step) {
    UpdateRule<T> rule = make_rule<T>(o, o.learning_rate(), step);
    rule.gradient.factor = static_cast<T>(factor);
    const std::vector<T> g = gradient_of<T>(step);
    kernels_of<T>(isa).update(rule, arguments(t, g, l1, l2));
  }
  return t;
}

template <class T>
void check_against_plain(const Optimizer& o, double l1, double l2, double factor,
                         double tolerance) {
  const Trained<T> got = train<T>("portable", o, l1, l2, factor);
  const Trained<T> first = start<T>(o);
  std::vector<std::vector<T>> gradients;
  for (int step = 1; step <= kSteps; ++step) gradients.push_back(gradient_of<T>(step));
  double moved = 0.0;
  for (size_t i = 0; i < kSize; ++i) {
    double w = static_cast<double>(first.weight[i]);
    Slots slots{};
    for (int step = 1; step <= kSteps; ++step) {
      double g = static_cast<double>(gradients[static_cast<size_t>(step - 1)][i]);
      g += l1 * sign(w) + 2.0 * l2 * w;
      if (o.clip_value > 0.0) g = std::clamp(g, -o.clip_value, o.clip_value);
      w = plain_step(o, step, w, factor * g, slots);
    }
    CHECK(std::abs(static_cast<double>(got.weight[i]) - w) <= tolerance);
    for (size_t s = 0; s < o.slots().size(); ++s)
      CHECK(std::abs(static_cast<double>(got.slots[s][i]) - slots[s]) <= 4 * tolerance);
    moved = std::max(moved, std::abs(w - static_cast<double>(first.weight[i])));
  }
  CHECK(moved > o.learning_rate() / 1000);

  for (const std::string& isa : vector_isas()) {
    CAPTURE(isa);
    const Trained<T> other = train<T>(isa, o, l1, l2, factor);
    CHECK(same_bits(other.weight, got.weight));
    for (int s = 0; s < kMostOptimizerSlots; ++s) CHECK(same_bits(other.slots[s], got.slots[s]));
  }
}

template <class T>
void check_nan(const std::string& isa, const Optimizer& o) {
  Trained<T> t = start<T>(o);
  std::vector<T> g = gradient_of<T>(1);
  g[3] = std::numeric_limits<T>::quiet_NaN();
  kernels_of<T>(isa).update(make_rule<T>(o, o.learning_rate(), 1), arguments(t, g, 0.0, 0.0));
  for (size_t i = 0; i < kSize; ++i) CHECK(std::isnan(t.weight[i]) == (i == 3));
}

/// Sums of squares of one panel after penalties and clipping, in plain double.
template <class T>
void check_squared_sums(const std::string& isa) {
  const KernelTable<T>& k = kernels_of<T>(isa);
  const int64_t rows = 9, columns = k.panel + 5;
  const PanelShape shape{rows, columns, k.panel, kRowAlignment<T>};
  const int64_t width = padded_columns<T>(5);
  Draws draws(8);
  const UpdateRule<T> rule = make_rule<T>({Sgd{}, {.clip_value = 0.5}}, 0.1, 1);
  const Matrix<T> w = filled<T>(rows, width, T(0), [&] { return draws.uniform(-1, 1); });
  const Matrix<T> g = filled<T>(rows, width, T(0), [&] { return draws.uniform(-1, 1); });
  std::vector<T> sums(static_cast<size_t>(width));
  k.squared_column_sums(rule, shape, 1, w.data(), g.data(), T(0.125), T(0.25), sums.data());
  for (int64_t j = 0; j < width; ++j) {
    T sum = 0;
    for (int64_t i = 0; i < rows; ++i) {
      T v = g(i, j) + T(0.125) * static_cast<T>(sign(static_cast<double>(w(i, j))));
      v += T(2) * T(0.25) * w(i, j);
      v = std::clamp(v, T(-0.5), T(0.5));
      sum = std::fma(v, v, sum);
    }
    CHECK(sums[static_cast<size_t>(j)] == sum);
  }
}

}  // namespace

TEST_CASE("every optimizer follows its plain formulas, with the same bits everywhere") {
  for (Optimizer o : variants()) {
    const std::string options = to_json(o.config());
    CAPTURE(options);
    check_against_plain<double>(o, 0.0, 0.0, 1.0, 1e-12);
    // Lion's sign turns a rounding into a whole step where the momentum all but cancels.
    const double single = o.kind() == OptimizerKind::lion ? 1.1 * 2 * o.learning_rate() : 2e-5;
    check_against_plain<float>(o, 0.0, 0.0, 1.0, single);
    o.clip_value = 0.5;
    check_against_plain<double>(o, 0.01, 0.02, 0.75, 1e-12);
    check_against_plain<float>(o, 0.01, 0.02, 0.75, single);
  }
}

TEST_CASE("a NaN in the gradient reaches its weight, clipped or not, and no other") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    for (Optimizer o : variants()) {
      const std::string kind = o.config().kind;
      CAPTURE(kind);
      for (const double clip_value : {0.0, 1.0}) {
        CAPTURE(clip_value);
        o.clip_value = clip_value;
        check_nan<float>(isa, o);
        check_nan<double>(isa, o);
      }
    }
  }
}

TEST_CASE("the lasso penalty of a weight that is NaN is one") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    const PanelShape shape{1, 16, 16, 16};
    const UpdateRule<float> rule = make_rule<float>(Sgd{}, 0.1, 1);
    std::vector<float> w(16, -2.0f), g(16, 0.0f), sums(16);
    w[3] = std::numeric_limits<float>::quiet_NaN();
    kernels_of<float>(isa).squared_column_sums(rule, shape, 0, w.data(), g.data(), 0.5f, 0.0f,
                                               sums.data());
    CHECK(std::isnan(sums[3]));
    CHECK(sums[2] == 0.25f);
  }
}

TEST_CASE("a sum of squares holds every number's, and is not finite where one is not") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    const auto& k = kernels_of<float>(isa);
    for (const int64_t multiples : {0, 1, 7, 8, 9, 33}) {
      const int64_t size = multiples * kRowAlignment<float>;
      alignas(64) float x[33 * kRowAlignment<float>];
      double sum = 0.0;
      for (int64_t i = 0; i < size; ++i) {
        x[i] = static_cast<float>(i % 13) - 6.0f;
        sum += double{x[i]} * double{x[i]};
      }
      CHECK(double{k.sum_of_squares(x, size)} == sum);
      for (int64_t i = 0; i < size; ++i) {
        const float before = x[i];
        for (const float bad : {std::numeric_limits<float>::quiet_NaN(), 3e38f}) {
          x[i] = bad;
          CHECK_FALSE(std::isfinite(k.sum_of_squares(x, size)));
        }
        x[i] = before;
      }
    }
  }
}

TEST_CASE("sums for the global norm see the clipped gradient with its penalties") {
  for (const std::string& isa : available()) {
    CAPTURE(isa);
    check_squared_sums<float>(isa);
    check_squared_sums<double>(isa);
  }
}

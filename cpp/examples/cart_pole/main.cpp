// SPDX-License-Identifier: Apache-2.0
// A cart learns to balance a pole while it is being driven: one step of training for each step of
// control. The policy is greedy in action values learned as by van Hasselt, Guez & Silver, "Deep
// reinforcement learning with double Q-learning", AAAI 2016; the cart is that of Barto, Sutton &
// Anderson, "Neuronlike adaptive elements that can solve difficult learning control problems",
// 1983.
#include <algorithm>
#include <array>
#include <chainrule/layers.hpp>
#include <chainrule/predictor.hpp>
#include <chainrule/random.hpp>
#include <chainrule/trainer.hpp>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <vector>

namespace {

using namespace chainrule;
using State = std::array<float, 4>;  // position, velocity, angle, angular velocity

constexpr std::int64_t kActions = 2;  // push left, push right
constexpr int kLimit = 500;           // steps after which a pole counts as balanced

class CartPole {
 public:
  explicit CartPole(std::uint64_t seed) : random_(seed, RandomUse::shuffle, 0) {}

  State reset() {
    for (double& v : s_) v = 0.1 * random_.next_uniform() - 0.05;
    return state();
  }

  State push(std::int64_t action) {
    const double force = action == 1 ? 10.0 : -10.0;
    const double sine = std::sin(s_[2]);
    const double cosine = std::cos(s_[2]);
    const double pull = (force + 0.05 * s_[3] * s_[3] * sine) / 1.1;
    const double turn =
        (9.8 * sine - cosine * pull) / (0.5 * (4.0 / 3.0 - 0.1 * cosine * cosine / 1.1));
    const double push = pull - 0.05 * turn * cosine / 1.1;
    constexpr double dt = 0.02;
    s_[0] += dt * s_[1];
    s_[1] += dt * push;
    s_[2] += dt * s_[3];
    s_[3] += dt * turn;
    return state();
  }

  bool fallen() const { return std::fabs(s_[0]) > 2.4 || std::fabs(s_[2]) > 0.2095; }

 private:
  State state() const {
    return {static_cast<float>(s_[0]), static_cast<float>(s_[1]), static_cast<float>(s_[2]),
            static_cast<float>(s_[3])};
  }

  RandomStream random_;
  std::array<double, 4> s_{};
};

struct Transition {
  State from;
  std::int64_t action;
  State to;
  bool fallen;
};

class Learner {
 public:
  Learner()
      : network_({Dense(64, "relu"), Dense(64, "relu"), Dense(kActions)}, 4, 1),
        trainer_(network_, Loss::defaults(Loss::Kind::huber), adam()),
        present_(network_),
        past_(network_),
        one_(present_),
        several_(present_, kBatch),
        past_several_(past_, kBatch) {}

  /// The action of the greater value; allocates nothing.
  std::int64_t best(const State& state) {
    std::array<float, kActions> values;
    present_.predict(state.data(), values.data(), one_);
    return values[1] > values[0];
  }

  void remember(const Transition& t) {
    if (memory_.size() < kMemory) {
      memory_.push_back(t);
    } else {
      memory_[next_++ % kMemory] = t;
    }
  }

  /// One step of training on what is remembered.
  void learn(RandomStream& random) {
    if (memory_.size() < 10 * kBatch) return;
    std::vector<const Transition*> batch(kBatch);
    for (std::size_t i = 0; i < kBatch; ++i) {
      batch[i] = &memory_[random.next_below(memory_.size())];
      std::copy(batch[i]->from.begin(), batch[i]->from.end(),
                from_.begin() + 4 * static_cast<std::ptrdiff_t>(i));
      std::copy(batch[i]->to.begin(), batch[i]->to.end(),
                to_.begin() + 4 * static_cast<std::ptrdiff_t>(i));
    }
    present_.predict(from_, wanted_, several_);
    present_.predict(to_, choice_, several_);
    past_.predict(to_, worth_, past_several_);
    for (std::size_t i = 0; i < kBatch; ++i) {
      const std::size_t choice = choice_[2 * i + 1] > choice_[2 * i] ? 1 : 0;
      const float later = batch[i]->fallen ? 0.0f : 0.99f * worth_[2 * i + choice];
      wanted_[2 * i + static_cast<std::size_t>(batch[i]->action)] = 1.0f + later;
    }
    trainer_.step(view(from_, 4), targets(view(wanted_, kActions)));
    present_.update(network_);
    if (++steps_ % 200 == 0) past_.update(network_);
  }

 private:
  static constexpr std::size_t kBatch = 64;
  static constexpr std::size_t kMemory = 20'000;

  static Optimizer adam() { return Adam{.learning_rate = 1e-3}; }

  Network<float> network_;
  Trainer<float> trainer_;
  Predictor<float> present_;
  Predictor<float> past_;  // some steps behind, so that the targets hold still
  Predictor<float>::Scratch one_;
  Predictor<float>::Scratch several_;
  Predictor<float>::Scratch past_several_;
  std::vector<Transition> memory_;
  std::size_t next_ = 0;
  std::int64_t steps_ = 0;
  std::vector<float> from_ = std::vector<float>(4 * kBatch), to_ = from_;
  std::vector<float> wanted_ = std::vector<float>(kActions * kBatch), choice_ = wanted_,
                     worth_ = wanted_;
};

/// Steps until the pole falls, kLimit at most, without learning or chance.
int balance(Learner& learner, CartPole& cart) {
  State state = cart.reset();
  int steps = 0;
  for (; steps < kLimit && !cart.fallen(); ++steps) state = cart.push(learner.best(state));
  return steps;
}

int run() {
  Learner learner;
  CartPole cart(1);
  CartPole examination(2);
  RandomStream random(3, RandomUse::shuffle, 0);
  std::int64_t driven = 0;
  for (int episode = 1; episode <= 1000; ++episode) {
    State state = cart.reset();
    int steps = 0;
    for (; steps < kLimit && !cart.fallen(); ++steps, ++driven) {
      const double curiosity = std::max(0.02, 1.0 - static_cast<double>(driven) / 5000.0);
      const bool guess = random.next_uniform() < curiosity;
      const std::int64_t action =
          guess ? static_cast<std::int64_t>(random.next_below(kActions)) : learner.best(state);
      const State next = cart.push(action);
      learner.remember({state, action, next, cart.fallen()});
      learner.learn(random);
      state = next;
    }
    if (episode % 10 != 0) continue;
    int shortest = kLimit;
    for (int trial = 0; trial < 10; ++trial)
      shortest = std::min(shortest, balance(learner, examination));
    std::printf("episode %d, %lld steps: the shortest of ten trials lasts %d steps\n", episode,
                static_cast<long long>(driven), shortest);
    if (shortest == kLimit) {
      std::printf("balanced\n");
      return 0;
    }
  }
  std::printf("the pole still falls\n");
  return 1;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cart_pole: %s\n", error.what());
    return 1;
  }
}

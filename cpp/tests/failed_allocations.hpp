// SPDX-License-Identifier: Apache-2.0
// Runs a piece of work once for every allocation in it, which fails: nothing may have changed then,
// and the next try must give what an undisturbed one gives.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "chainrule/config.hpp"
#include "networks.hpp"
#include "replaced_new.hpp"

namespace chainrule::testing {

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  FailingAllocations::stop();
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

inline std::string bytes_of(double value) {
  FailingAllocations::stop();
  return bytes_of(std::vector<double>{value});
}

/// From which allocation on some are left out. The address sanitizer and the native tests look at
/// leaks and states; an emulator and the thread sanitizer, under which all is ten times as slow,
/// take a sample.
#if defined(CHAINRULE_TEST_EMULATED) || defined(CHAINRULE_TEST_TSAN)
constexpr std::int64_t kAllOnce = 8, kAllLasting = 2;
#else
constexpr std::int64_t kAllOnce = 120, kAllLasting = 20;
#endif

/// What a network and its gradients are, to the bit. Comparing this takes less than half of the
/// time of comparing the model files that hold it.
template <class T>
struct NetworkState {
  explicit NetworkState(const Network<T>& network)
      : trained(network),
        seed(network.seed()),
        exact_mean(network.exact_mean()),
        adapted(network.adapted()),
        categories(network.category_names()) {
    for (const AnyLayer& layer : network.layers()) layers.push_back(layer->config());
    for (std::size_t i = 0; i < network.graph().inputs().size(); ++i)
      features.push_back(network.feature_names(static_cast<std::int64_t>(i)));
    for (std::size_t i = 0; i < network.graph().outputs().size(); ++i)
      classes.push_back(network.class_names(static_cast<std::int64_t>(i)));
    if (!network.has_gradients()) return;
    for (const ParameterInfo& info : network.parameters())
      if (info.trainable) gradients += bytes_of(gradient(network, info));
  }
  bool operator==(const NetworkState&) const = default;

  Snapshot<T> trained;
  std::uint64_t seed;
  std::vector<double> exact_mean;
  bool adapted;
  std::vector<Config> layers;
  std::vector<std::vector<std::string>> features, classes, categories;
  std::string gradients;
};

/// `make()` gives a fresh subject, `work(subject)` the bytes of its results, and `state(subject)`
/// all that must not change when work throws; what the test itself allocates after the
/// work must come behind FailingAllocations::stop(). Which allocations fail: each where there are
/// few, and every so many-th of the others.
template <class Make, class Work, class State>
void fail_every_allocation(const Make& make, const Work& work, const State& state,
                           bool allocates_nothing = false) {
  const auto before = [&] {
    const auto subject = make();
    return state(subject);
  }();
  auto undisturbed = make();
  const std::string expected = work(undisturbed);
  const auto after = state(undisturbed);
  for (const bool lasting : {false, true}) {
    CAPTURE(lasting);
    const std::int64_t each = lasting ? kAllLasting : kAllOnce;
    bool failed = true;
    std::int64_t failures = 0;
    for (std::int64_t n = 1; failed; n += 1 + n / each) {
      CAPTURE(n);
      auto subject = make();
      bool threw = false;
      std::string result;
      {
        const FailingAllocations failing(n, lasting);
        try {
          result = work(subject);
        } catch (const std::bad_alloc&) {
          threw = true;
        }
        failed = failing.happened();
      }
      failures += failed ? 1 : 0;
      if (threw) {
        REQUIRE(failed);
        REQUIRE(state(subject) == before);
        result = work(subject);
      }
      REQUIRE(result == expected);
      REQUIRE(state(subject) == after);
    }
    CHECK((failures > 0 || allocates_nothing));
  }
}

}  // namespace chainrule::testing

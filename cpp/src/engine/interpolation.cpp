// SPDX-License-Identifier: Apache-2.0
// The soft update of target networks.
#include <cmath>
#include <string>

#include "engine/all_finite.hpp"
#include "engine/network_state.hpp"

namespace chainrule {

// values = values + tau (source - values), number by number over the whole arena, statistics
// included. Nothing changes where a difference would overflow.
template <class T>
void Network<T>::interpolate(const Network& source, double tau) {
  State& s = *state_;
  State& from = *source.state_;
  if (!(tau >= 0.0 && tau <= 1.0)) throw Error("tau must lie in 0..1, got " + std::to_string(tau));
  // To compare descriptions takes longer than a small network's update; they never change.
  if (s.interpolated_with.load(std::memory_order_relaxed) != from.number) {
    if (!same_structure(s.graph, from.graph)) throw Error("the networks have different layers");
    s.interpolated_with.store(from.number, std::memory_order_relaxed);
  }
  if (&s == &from) return;
  const engine::Changing guard(s);
  const engine::Reading reading(from);
  T* const values = s.parameters.values.data();
  const T* const others = from.parameters.values.data();
  const std::int64_t size = s.parameters.arena_size();
  const bool means_differ = s.parameters.exact_mean() != from.parameters.exact_mean();
  if (tau == 1.0) {
    s.parameters.values.copy_from(from.parameters.values);
    if (means_differ) s.parameters.set_exact_mean(from.parameters.exact_mean());
    s.unadapted = from.unadapted;
  } else {
    const auto difference = [=](std::int64_t i) { return others[i] - values[i]; };
    if (!engine::all_finite<T>(size, difference))
      throw Error("the networks' parameters differ by more than their precision holds");
    const T slice = static_cast<T>(tau);
    for (std::int64_t i = 0; i < size; ++i) values[i] += slice * difference(i);
    if (means_differ) s.parameters.set_exact_mean({});
  }
  s.forget_passes();
}

template void Network<float>::interpolate(const Network&, double);
template void Network<double>::interpolate(const Network&, double);

}  // namespace chainrule

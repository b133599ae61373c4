// SPDX-License-Identifier: Apache-2.0
// Layers take their statistics from data.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "chainrule/layers.hpp"
#include "engine/input/layer_rows.hpp"
#include "engine/input/row_order.hpp"
#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"

namespace chainrule {

namespace {

/// Whether adaptation sets a parameter.
bool keeps_statistics(const std::vector<AnyLayer>& layers, const engine::Parameter& p) {
  return !p.spec.trainable && layers[static_cast<std::size_t>(p.layer)]->adapts();
}

/// Rows in memory are one piece.
RowPieces one_piece(const Inputs& x) {
  return [&x](const Callback<void(const Inputs&)>& each) { each(x); };
}

}  // namespace

// values: those of all layers that adapt, array after array, with their padding.
template <class T>
typename Network<T>::State::Statistics Network<T>::State::statistics() const {
  Statistics now{unadapted, {}, parameters.exact_mean()};
  for (const engine::Parameter& p : parameters.list()) {
    if (!keeps_statistics(layers, p)) continue;
    const T* values = parameters.at(&p);
    now.values.insert(now.values.end(), values, values + p.size);
  }
  return now;
}

/// Puts back what statistics() gave. It allocates nothing, since it may run where an exception is
/// on its way. A forward pass by hand before it was of other statistics.
template <class T>
void Network<T>::State::set_statistics(Statistics& statistics) noexcept {
  const T* values = statistics.values.data();
  for (const engine::Parameter& p : parameters.list()) {
    if (!keeps_statistics(layers, p)) continue;
    std::copy_n(values, p.size, parameters.at(&p));
    values += p.size;
  }
  parameters.set_exact_mean(std::move(statistics.exact_mean));
  unadapted.swap(statistics.unadapted);
  backprop.forward_step.reset();
}

template <class T>
void Network<T>::State::adapt(std::int64_t layer, const RowPieces& x,
                              std::span<const std::int64_t> list) {
  const bool known = layer >= 0 && layer < static_cast<std::int64_t>(layers.size());
  const Layer* described = known ? &*layers[static_cast<std::size_t>(layer)] : nullptr;
  if (!described || !described->adapts())
    throw Error("layer " + std::to_string(layer) + " has no statistics to adapt");
  LayerRows rows(*this, layer, x, list);
  if (const auto* normalization = dynamic_cast<const Normalization*>(described))
    adapt(*normalization, rows);
  else
    adapt(dynamic_cast<const PiecewiseLinearEmbedding&>(*described), rows);
  std::erase(unadapted, layer);
  forget_passes();
}

template <class T>
void Network<T>::State::adapt(const std::vector<std::int64_t>& chosen, const RowPieces& x,
                              std::span<const std::int64_t> rows) {
  if (chosen.empty()) return;
  Statistics before = statistics();
  try {
    // Each takes its statistics from what the ones before it make of x.
    for (const std::int64_t layer : chosen) adapt(layer, x, rows);
  } catch (...) {
    set_statistics(before);
    throw;
  }
  statistics_before = std::move(before);
}

template <class T>
void Network<T>::adapt(std::int64_t layer, const Inputs& x) {
  const engine::Changing guard(*state_);
  state_->adapt(std::vector{layer}, one_piece(x));
}

template <class T>
void Network<T>::adapt(const Inputs& x) {
  adapt(one_piece(x));
}

template <class T>
void Network<T>::adapt(const RowPieces& x) {
  const engine::Changing guard(*state_);
  state_->adapt(state_->adapting(), x);
}

template <class T>
bool Network<T>::adapt_remaining(const RowPieces& x) {
  const engine::Changing guard(*state_);
  const std::vector<std::int64_t> chosen = state_->unadapted;
  state_->adapt(chosen, x);
  return !chosen.empty();
}

template <class T>
bool Network<T>::adapt_remaining(const Inputs& x, std::span<const std::int64_t> rows) {
  engine::check_row_numbers(rows, x.rows(), "rows");
  const engine::Changing guard(*state_);
  const std::vector<std::int64_t> chosen = state_->unadapted;
  state_->adapt(chosen, one_piece(x), rows);
  return !chosen.empty();
}

template <class T>
void Network<T>::undo_adaptation() {
  const engine::Changing guard(*state_);
  if (!state_->statistics_before) throw StateError("there is no adaptation to undo");
  state_->set_statistics(*state_->statistics_before);
  state_->statistics_before.reset();
}

#define CHAINRULE_MEMBERS(T)                                                                 \
  template void Network<T>::State::adapt(std::int64_t, const RowPieces&,                     \
                                         std::span<const std::int64_t>);                     \
  template void Network<T>::State::adapt(const std::vector<std::int64_t>&, const RowPieces&, \
                                         std::span<const std::int64_t>);                     \
  template void Network<T>::adapt(std::int64_t, const Inputs&);                              \
  template void Network<T>::adapt(const Inputs&);                                            \
  template void Network<T>::adapt(const RowPieces&);                                         \
  template bool Network<T>::adapt_remaining(const Inputs&, std::span<const std::int64_t>);   \
  template bool Network<T>::adapt_remaining(const RowPieces&);                               \
  template void Network<T>::undo_adaptation();                                               \
  template typename Network<T>::State::Statistics Network<T>::State::statistics() const;     \
  template void Network<T>::State::set_statistics(Statistics&) noexcept;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

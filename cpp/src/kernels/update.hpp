// SPDX-License-Identifier: Apache-2.0
// What applies the update rules of optimizers/ to parameters.
#pragma once

#include "kernels/loss.hpp"
#include "kernels/multiply.hpp"
#include "kernels/simd.hpp"
#include "kernels/table.hpp"
// The rules come behind the functions of vectors that they are written in.
#include "kernels/all_optimizers.hpp"  // made by CMake: includes each file of kernels/optimizers

namespace {

using namespace chainrule::kernels;

/// The gradient with its penalties, clipped: what the optimizer sees before weight decay.
template <class T>
CHAINRULE_INLINE Vec<T> penalized(Vec<T> w, Vec<T> g, T l1, T l2) {
  if (l1 != T(0)) g += l1 * sign<T>(w);
  if (l2 != T(0)) g += T(2) * l2 * w;
  return g;
}

template <class T>
CHAINRULE_INLINE Vec<T> clipped(const GradientRule<T>& rule, Vec<T> g) {
  // The order of the operands is chosen so that NaN propagates.
  if (rule.clip_value != T(0))
    g = max<T>(broadcast(-rule.clip_value), min<T>(broadcast(rule.clip_value), g));
  return g * rule.factor;
}

/// Prefetches into L2: what is updated before these entries fills L1.
template <class T>
CHAINRULE_INLINE void prefetch_entries(const UpdateArgs<T>& f, int64_t i) {
  // Prefetching out of range is harmless; forming the pointer is undefined behaviour.
  const uint64_t offset = uint64_t(f.prefetch_offset + i) * sizeof(T);
  const auto prefetch = [&](const T* values) CHAINRULE_LAMBDA {
    if (values) __builtin_prefetch(reinterpret_cast<const char*>(uint64_t(values) + offset), 1, 2);
  };
  prefetch(f.weight);
  for (const T* slot : f.slots) prefetch(slot);
}

/// A vector of each of the first `kept` slots.
template <class T, int kept>
struct SlotVectors {
  Vec<T> list[chainrule::kMostOptimizerSlots] = {};  // those behind `kept` stay zero

  CHAINRULE_INLINE void load_from(const UpdateArgs<T>& f, int64_t i) {
    for (int k = 0; k < kept; ++k) list[k] = load(f.slots[k] + i);
  }
  CHAINRULE_INLINE void store_to(const UpdateArgs<T>& f, int64_t i) const {
    for (int k = 0; k < kept; ++k) store(f.slots[k] + i, list[k]);
  }
};

/// weight, gradient and slots: f.size neighbouring entries of one parameter. The rule takes the
/// gradients as they are.
template <class Options, class T, int kept>
void update_entries(const UpdateRule<T>& rule, const UpdateArgs<T>& args) {
  // Copies, which no store can change.
  const UpdateArgs<T> f = args;
  const auto optimizer = rule.template numbers_as<Rule<Options, T>>();
  for (int64_t i = 0; i < f.size; i += kLanes<T>) {
    const Vec<T> w = load(f.weight + i);
    SlotVectors<T, kept> slots;
    slots.load_from(f, i);
    if constexpr (Options::row.needs_whole_gradient) {
      store(f.weight + i, optimizer.step(w, optimizer.direction(w, slots.list), f.scale));
    } else {
      store(f.weight + i, optimizer.step(w, load(f.gradient + i), slots.list));
      slots.store_to(f, i);
    }
  }
}

/// Calls work with the options' type of the rule's kind and the number of slots that are kept.
template <class Options, int kept, class T, class Work>
CHAINRULE_INLINE void with_slots(const UpdateArgs<T>& f, const Work& work) {
  if constexpr (kept < Options().slots().all())
    if (f.slots[kept]) return with_slots<Options, kept + 1>(f, work);
  work.template operator()<Options, kept>();
}

template <class T, class Work, class... All>
CHAINRULE_INLINE void with_kind(const UpdateRule<T>& rule, const UpdateArgs<T>& f, const Work& work,
                                chainrule::OptimizerTable<All...>) {
  (void)((rule.kind == All::row.kind && (with_slots<All, All().slots().kept()>(f, work), true)) ||
         ...);
}

template <class T>
void update_by_kind(const UpdateRule<T>& rule, const UpdateArgs<T>& f) {
  const auto update_by = [&]<class Options, int kept>()
                             CHAINRULE_LAMBDA { update_entries<Options, T, kept>(rule, f); };
  with_kind(rule, f, update_by, chainrule::Optimizers());
}

/// Entries whose gradients are prepared before they are updated: they stay in L1.
constexpr int64_t kPreparedEntries = 256;

// Penalties, clipping and prefetches are asked for once. To ask for each vector takes longer than
// an update by sgd.
template <class T>
void update(const UpdateRule<T>& rule, const UpdateArgs<T>& f) {
  const GradientRule<T> gradient = rule.gradient;
  const bool prepares = gradient.clip_value != T(0) || gradient.factor != T(1) || f.l1 != T(0) ||
                        f.l2 != T(0) || f.prefetch_size > 0;
  // Rules that need whole gradients have remembered them.
  if (!prepares || !f.gradient) return update_by_kind(rule, f);
  alignas(64) T prepared[kPreparedEntries];
  UpdateArgs<T> part = f;
  part.gradient = prepared;
  in_blocks(f.size, kPreparedEntries, [&](int64_t begin, int64_t end) {
    part.size = end - begin;
    for (int64_t i = begin; i < end; i += kLanes<T>) {
      const Vec<T> w = load(f.weight + i);
      const Vec<T> g = clipped(gradient, penalized(w, load(f.gradient + i), f.l1, f.l2));
      store(prepared + (i - begin), g);
      if (i < f.prefetch_size) prefetch_entries(f, i);
    }
    update_by_kind(rule, part);
    part.weight += part.size;
    for (T*& slot : part.slots)
      if (slot) slot += part.size;
  });
}

template <class T>
CHAINRULE_INLINE void add_squares(Vec<T> v, double* sums) {
  alignas(64) T lanes[kLanes<T>];
  store(lanes, v);
  for (int j = 0; j < kLanes<T>; ++j) sums[j] += double(lanes[j]) * double(lanes[j]);
}

template <class T>
void direction_sums(const UpdateRule<T>& rule, const UpdateArgs<T>& f, int64_t width,
                    double* weight_sums, double* direction_sums) {
  const auto sum_up = [&]<class Options, int kept>() CHAINRULE_LAMBDA {
    if constexpr (Options::row.needs_whole_gradient) {
      const auto optimizer = rule.template numbers_as<Rule<Options, T>>();
      for (int64_t i = 0; i < f.size; i += kLanes<T>) {
        const Vec<T> w = load(f.weight + i);
        const Vec<T> g = clipped(rule.gradient, penalized(w, load(f.gradient + i), f.l1, f.l2));
        SlotVectors<T, kept> slots;
        slots.load_from(f, i);
        optimizer.remember(g, slots.list);
        slots.store_to(f, i);
        add_squares<T>(w, weight_sums + i % width);
        add_squares<T>(optimizer.direction(w, slots.list), direction_sums + i % width);
      }
    }
  };
  with_kind(rule, f, sum_up, chainrule::Optimizers());
}

template <class T>
void squared_column_sums(const UpdateRule<T>& rule, const PanelShape& shape, int64_t panel,
                         const T* weight, const T* g, T l1, T l2, T* sums) {
  const int64_t width = panel_width(shape, panel);
  for (int64_t j = 0; j < width; j += kLanes<T>) {
    Vec<T> s{};
    for (int64_t k = 0; k < shape.rows; ++k) {
      const Vec<T> v = clipped(
          rule.gradient, penalized(load(weight + k * width + j), load(g + k * width + j), l1, l2));
      s = fma(v, v, s);
    }
    store(sums + j, s);
  }
}

/// The sum in an order of each instruction set's own, so it must not decide about results.
template <class T>
T sum_of_squares(const T* x, int64_t size) {
  constexpr int64_t chains = 8;
  Vec<T> sums[chains]{};
  int64_t i = 0;
  for (; i + chains * kLanes<T> <= size; i += chains * kLanes<T>) {
    for (int64_t c = 0; c < chains; ++c) {
      const Vec<T> v = load(x + i + c * kLanes<T>);
      sums[c] = fma(v, v, sums[c]);
    }
  }
  for (; i < size; i += kLanes<T>) {
    const Vec<T> v = load(x + i);
    sums[0] = fma(v, v, sums[0]);
  }
  for (int64_t c = 1; c < chains; ++c) sums[0] += sums[c];
  alignas(64) T lanes[kLanes<T>];
  store(lanes, sums[0]);
  T sum = 0;
  for (int64_t j = 0; j < kLanes<T>; ++j) sum += lanes[j];
  return sum;
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
#include "engine/threads/threading_layer.hpp"

#include <array>
#include <atomic>
#include <cstdlib>
#include <string_view>

#include "chainrule/error.hpp"
#include "chainrule/network.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace chainrule::engine {
namespace {

constexpr std::array<const char*, 3> names{"pool", "openmp", "serial"};

#if defined(CHAINRULE_HAS_POOL)
constexpr bool has_pool = true;
#else
constexpr bool has_pool = false;
#endif
#if defined(CHAINRULE_HAS_OPENMP)
constexpr bool has_openmp = true;
#else
constexpr bool has_openmp = false;
#endif

constexpr bool is_built(ThreadingLayer layer) {
  if (layer == ThreadingLayer::pool) return has_pool;
  return layer == ThreadingLayer::serial || has_openmp;
}

constexpr ThreadingLayer built_in_default = ThreadingLayer::CHAINRULE_DEFAULT_LAYER;
static_assert(is_built(built_in_default));

/// What the environment names, if this build has it, or the built-in default.
ThreadingLayer chosen_layer() {
  const char* text = std::getenv("CHAINRULE_THREADING_LAYER");
  if (text == nullptr || *text == '\0') return built_in_default;
  for (const ThreadingLayer layer :
       {ThreadingLayer::pool, ThreadingLayer::openmp, ThreadingLayer::serial})
    if (is_built(layer) && std::string_view(text) == name_of(layer)) return layer;
  std::string message =
      "CHAINRULE_THREADING_LAYER is '" + std::string(text).substr(0, 40) + "', this build has: ";
  for (const std::string& name : threading_layers())
    message += (name == name_of(built_in_default) ? "" : ", ") + name;
  throw Error(message);
}

/// OpenMP's threads are not in a forked child, and GNU's runtime would wait for them.
std::atomic<bool> is_forked_child{false};

#if defined(__unix__) || defined(__APPLE__)
[[maybe_unused]] const int layer_watches_forks = pthread_atfork(
    nullptr, nullptr, [] { is_forked_child.store(true, std::memory_order_relaxed); });
#endif

}  // namespace

// Chosen at the first call, so that a wrong name throws there and not while a library is loaded.
ThreadingLayer threading_layer() {
  static const ThreadingLayer chosen = chosen_layer();
  const bool lost =
      chosen == ThreadingLayer::openmp && is_forked_child.load(std::memory_order_relaxed);
  return lost ? ThreadingLayer::pool : chosen;
}

const char* name_of(ThreadingLayer layer) { return names[static_cast<std::size_t>(layer)]; }

// The default first.
std::vector<std::string> threading_layers() {
  std::vector<std::string> built{name_of(built_in_default)};
  for (const ThreadingLayer layer :
       {ThreadingLayer::pool, ThreadingLayer::openmp, ThreadingLayer::serial})
    if (is_built(layer) && layer != built_in_default) built.emplace_back(name_of(layer));
  return built;
}

}  // namespace chainrule::engine

namespace chainrule {

std::string threading_layer() { return engine::name_of(engine::threading_layer()); }

std::vector<std::string> threading_layers() { return engine::threading_layers(); }

}  // namespace chainrule

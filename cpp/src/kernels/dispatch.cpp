// SPDX-License-Identifier: Apache-2.0
#include "kernels/dispatch.hpp"

#include <cstdlib>

#include "chainrule/error.hpp"
#include "chainrule/names.hpp"

namespace chainrule::kernels {

extern const KernelSet kernels_portable;
#ifdef CHAINRULE_HAVE_AVX2
extern const KernelSet kernels_avx2;
#endif
#ifdef CHAINRULE_HAVE_AVX512
extern const KernelSet kernels_avx512;
#endif
#ifdef CHAINRULE_HAVE_NEON
extern const KernelSet kernels_neon;
#endif

namespace {

struct Candidate {
  const char* name;
  const KernelSet* set;  // null: not built into this library
  bool (*supported)();
};

#if defined(__x86_64__)
// The compiler's run-time check covers the operating system's part (saved registers) as well.
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("bmi2");
}
#else
bool has_avx2() { return false; }
bool has_avx512() { return false; }
#endif
#if defined(__aarch64__)
bool has_neon() { return true; }
#else
bool has_neon() { return false; }
#endif

constexpr Candidate kCandidates[] = {
#ifdef CHAINRULE_HAVE_AVX512
    {"avx512", &kernels_avx512, has_avx512},
#else
    {"avx512", nullptr, has_avx512},
#endif
#ifdef CHAINRULE_HAVE_AVX2
    {"avx2", &kernels_avx2, has_avx2},
#else
    {"avx2", nullptr, has_avx2},
#endif
#ifdef CHAINRULE_HAVE_NEON
    {"neon", &kernels_neon, has_neon},
#else
    {"neon", nullptr, has_neon},
#endif
    {"portable", &kernels_portable, [] { return true; }},
};

}  // namespace

std::vector<std::string> available() {
  std::vector<std::string> names;
  for (const Candidate& c : kCandidates) {
    if (c.set && c.supported()) names.emplace_back(c.name);
  }
  return names;
}

namespace {

const KernelSet& find(const std::string& name, const char* what) {
  for (const Candidate& c : kCandidates) {
    if (c.name == name && c.set && c.supported()) return *c.set;
  }
  throw Error(unknown_name(what, name, available()));
}

}  // namespace

const KernelSet& named(const std::string& name) { return find(name, "instruction set"); }

const KernelSet& active() {
  static const KernelSet& chosen = [&]() -> const KernelSet& {
    const char* wish = std::getenv("CHAINRULE_ISA");
    return find(wish && *wish ? wish : available().front(), "instruction set in CHAINRULE_ISA");
  }();
  return chosen;
}

}  // namespace chainrule::kernels

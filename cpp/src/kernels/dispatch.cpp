// SPDX-License-Identifier: Apache-2.0
#include "kernels/dispatch.hpp"

#include <cstdlib>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "chainrule/error.hpp"
#include "chainrule/names.hpp"

namespace chainrule::kernels {

extern const InferenceSet inference_portable;
#ifdef CHAINRULE_HAVE_AVX2
extern const InferenceSet inference_avx2;
#endif
#ifdef CHAINRULE_HAVE_AVX512
extern const InferenceSet inference_avx512;
#endif
#ifdef CHAINRULE_HAVE_NEON
extern const InferenceSet inference_neon;
#endif

namespace {

struct Candidate {
  const char* name;
  const InferenceSet* kernels;  // null: not built into this library
  bool (*supported)();
};

#if defined(__x86_64__)
// The compiler's run-time check covers the operating system's part (saved registers) as well.
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("bmi2");
}
// AVX-VNNI by the processor's own words, since Clang 14 has none for it.
bool has_vnni(const char* set) {
  if (set == std::string("avx512")) return __builtin_cpu_supports("avx512vnni");
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned features = 7, of_second_page = 1, avx_vnni = 1U << 4;
  return has_avx2() && __get_cpuid_count(features, of_second_page, &a, &b, &c, &d) != 0 &&
         (a & avx_vnni) != 0;
}
#else
bool has_avx2() { return false; }
bool has_avx512() { return false; }
bool has_vnni(const char*) { return false; }
#endif
#if defined(__aarch64__)
bool has_neon() { return true; }
#else
bool has_neon() { return false; }
#endif

constexpr Candidate kCandidates[] = {
#ifdef CHAINRULE_HAVE_AVX512
    {"avx512", &inference_avx512, has_avx512},
#else
    {"avx512", nullptr, has_avx512},
#endif
#ifdef CHAINRULE_HAVE_AVX2
    {"avx2", &inference_avx2, has_avx2},
#else
    {"avx2", nullptr, has_avx2},
#endif
#ifdef CHAINRULE_HAVE_NEON
    {"neon", &inference_neon, has_neon},
#else
    {"neon", nullptr, has_neon},
#endif
    {"portable", &inference_portable, [] { return true; }},
};

std::vector<KernelSet> usable_sets() {
  std::vector<KernelSet> sets;
  for (const Candidate& c : kCandidates) {
    if (!c.kernels || !c.supported()) continue;
    sets.push_back({{c.kernels->f32, {}}, {c.kernels->f64, {}}});
    KernelTable<float>& f32 = sets.back().f32;
    if (f32.int8_vnni_forward && !has_vnni(c.name)) f32.int8_vnni_forward = nullptr;
  }
  return sets;
}

}  // namespace

const std::vector<KernelSet>& inference_sets() {
  // Never destroyed: other threads may still predict while the program ends.
  static const auto* const sets = new std::vector<KernelSet>(usable_sets());
  return *sets;
}

std::vector<std::string> available() {
  std::vector<std::string> names;
  for (const KernelSet& set : inference_sets()) names.emplace_back(set.f32.name);
  return names;
}

const KernelSet& find(const std::vector<KernelSet>& sets, const std::string& name,
                      const char* what) {
  for (const KernelSet& set : sets) {
    if (set.f32.name == name) return set;
  }
  throw Error(unknown_name(what, name, available()));
}

const KernelSet& active_inference() {
  static const KernelSet& chosen = []() -> const KernelSet& {
    const std::vector<KernelSet>& sets = inference_sets();
    const char* wish = std::getenv("CHAINRULE_ISA");
    return wish && *wish ? find(sets, wish, "instruction set in CHAINRULE_ISA") : sets.front();
  }();
  return chosen;
}

}  // namespace chainrule::kernels

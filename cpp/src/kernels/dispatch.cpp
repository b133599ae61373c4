// SPDX-License-Identifier: Apache-2.0
#include "kernels/dispatch.hpp"

#include <algorithm>
#include <cstdlib>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "chainrule/error.hpp"
#include "chainrule/names.hpp"

namespace chainrule::kernels {

extern const InferenceKernels<float> inference_portable_f32;
extern const InferenceKernels<double> inference_portable_f64;
#ifdef CHAINRULE_HAVE_AVX2
extern const InferenceKernels<float> inference_avx2_f32;
extern const InferenceKernels<double> inference_avx2_f64;
#endif
#ifdef CHAINRULE_HAVE_AVX512
extern const InferenceKernels<float> inference_avx512_f32;
extern const InferenceKernels<double> inference_avx512_f64;
#endif
#ifdef CHAINRULE_HAVE_NEON
extern const InferenceKernels<float> inference_neon_f32;
extern const InferenceKernels<double> inference_neon_f64;
#endif

namespace {

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

// Those built into this library, best first.
constexpr const char* kBuiltIn[] = {
#ifdef CHAINRULE_HAVE_AVX512
    "avx512",
#endif
#ifdef CHAINRULE_HAVE_AVX2
    "avx2",
#endif
#ifdef CHAINRULE_HAVE_NEON
    "neon",
#endif
    "portable",
};

bool supported(const std::string& name) {
  if (name == "avx512") return has_avx512();
  if (name == "avx2") return has_avx2();
  if (name == "neon") return has_neon();
  return true;
}

// In the order of kBuiltIn. A constant names the kernels of one precision alone, so that a linker
// can leave out the others.
template <class T>
constexpr const InferenceKernels<T>* kInferenceKernels[] = {
#ifdef CHAINRULE_HAVE_AVX512
    by_precision<T>(inference_avx512_f32, inference_avx512_f64),
#endif
#ifdef CHAINRULE_HAVE_AVX2
    by_precision<T>(inference_avx2_f32, inference_avx2_f64),
#endif
#ifdef CHAINRULE_HAVE_NEON
    by_precision<T>(inference_neon_f32, inference_neon_f64),
#endif
    by_precision<T>(inference_portable_f32, inference_portable_f64),
};

template <class T>
std::vector<KernelTable<T>> usable_tables() {
  std::vector<KernelTable<T>> tables;
  for (const InferenceKernels<T>* kernels : kInferenceKernels<T>) {
    if (!supported(kernels->name)) continue;
    tables.push_back({*kernels, {}});
    if (!has_vnni(kernels->name)) tables.back().int8_vnni_forward = nullptr;
  }
  return tables;
}

}  // namespace

template <class T>
const std::vector<KernelTable<T>>& inference_tables() {
  // Never destroyed: other threads may still predict while the program ends.
  static const auto* const tables = new std::vector<KernelTable<T>>(usable_tables<T>());
  return *tables;
}

std::vector<std::string> available() {
  std::vector<std::string> names;
  for (const char* name : kBuiltIn) {
    if (supported(name)) names.emplace_back(name);
  }
  return names;
}

const std::string& checked_name(const std::string& name, const char* what) {
  const std::vector<std::string> names = available();
  if (std::find(names.begin(), names.end(), name) != names.end()) return name;
  throw Error(unknown_name(what, name, names));
}

const std::string& active_name() {
  static const auto* const chosen = new std::string([]() -> std::string {
    const char* wish = std::getenv("CHAINRULE_ISA");
    return wish && *wish ? checked_name(wish, "instruction set in CHAINRULE_ISA")
                         : available().front();
  }());
  return *chosen;
}

template <class T>
const KernelTable<T>& active_inference() {
  static const KernelTable<T>& chosen = find(inference_tables<T>(), active_name());
  return chosen;
}

template const std::vector<KernelTable<float>>& inference_tables<float>();
template const std::vector<KernelTable<double>>& inference_tables<double>();
template const KernelTable<float>& active_inference<float>();
template const KernelTable<double>& active_inference<double>();

}  // namespace chainrule::kernels

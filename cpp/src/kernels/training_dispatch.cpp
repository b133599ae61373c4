// SPDX-License-Identifier: Apache-2.0
// A unit of its own, so that a linker takes the kernels of training only where they are used.
#include <cstring>

#include "kernels/dispatch.hpp"

namespace chainrule::kernels {

extern const TrainingKernels<float> training_portable_f32;
extern const TrainingKernels<double> training_portable_f64;
#ifdef CHAINRULE_HAVE_AVX2
extern const TrainingKernels<float> training_avx2_f32;
extern const TrainingKernels<double> training_avx2_f64;
#endif
#ifdef CHAINRULE_HAVE_AVX512
extern const TrainingKernels<float> training_avx512_f32;
extern const TrainingKernels<double> training_avx512_f64;
#endif
#ifdef CHAINRULE_HAVE_NEON
extern const TrainingKernels<float> training_neon_f32;
extern const TrainingKernels<double> training_neon_f64;
#endif

namespace {

template <class T>
struct Candidate {
  const char* name;
  const TrainingKernels<T>* kernels;
};

template <class T>
constexpr Candidate<T> kCandidates[] = {
#ifdef CHAINRULE_HAVE_AVX512
    {"avx512", by_precision<T>(training_avx512_f32, training_avx512_f64)},
#endif
#ifdef CHAINRULE_HAVE_AVX2
    {"avx2", by_precision<T>(training_avx2_f32, training_avx2_f64)},
#endif
#ifdef CHAINRULE_HAVE_NEON
    {"neon", by_precision<T>(training_neon_f32, training_neon_f64)},
#endif
    {"portable", by_precision<T>(training_portable_f32, training_portable_f64)},
};

template <class T>
std::vector<KernelTable<T>> complete_tables() {
  std::vector<KernelTable<T>> tables = inference_tables<T>();
  for (KernelTable<T>& table : tables) {
    for (const Candidate<T>& c : kCandidates<T>) {
      if (std::strcmp(c.name, table.name) != 0) continue;
      static_cast<TrainingKernels<T>&>(table) = *c.kernels;
    }
  }
  return tables;
}

}  // namespace

template <class T>
const KernelTable<T>& named(const std::string& name) {
  static const auto* const tables = new std::vector<KernelTable<T>>(complete_tables<T>());
  return find(*tables, checked_name(name, "instruction set"));
}

template <class T>
const KernelTable<T>& active() {
  static const KernelTable<T>& chosen = named<T>(active_name());
  return chosen;
}

template const KernelTable<float>& named<float>(const std::string& name);
template const KernelTable<double>& named<double>(const std::string& name);
template const KernelTable<float>& active<float>();
template const KernelTable<double>& active<double>();

}  // namespace chainrule::kernels

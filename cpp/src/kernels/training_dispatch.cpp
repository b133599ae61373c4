// SPDX-License-Identifier: Apache-2.0
// A unit of its own, so that a linker takes the kernels of training only where they are used.
#include <cstring>

#include "kernels/dispatch.hpp"

namespace chainrule::kernels {

extern const TrainingSet training_portable;
#ifdef CHAINRULE_HAVE_AVX2
extern const TrainingSet training_avx2;
#endif
#ifdef CHAINRULE_HAVE_AVX512
extern const TrainingSet training_avx512;
#endif
#ifdef CHAINRULE_HAVE_NEON
extern const TrainingSet training_neon;
#endif

namespace {

struct Candidate {
  const char* name;
  const TrainingSet* kernels;
};

constexpr Candidate kCandidates[] = {
#ifdef CHAINRULE_HAVE_AVX512
    {"avx512", &training_avx512},
#endif
#ifdef CHAINRULE_HAVE_AVX2
    {"avx2", &training_avx2},
#endif
#ifdef CHAINRULE_HAVE_NEON
    {"neon", &training_neon},
#endif
    {"portable", &training_portable},
};

std::vector<KernelSet> complete_sets() {
  std::vector<KernelSet> sets = inference_sets();
  for (KernelSet& set : sets) {
    for (const Candidate& c : kCandidates) {
      if (std::strcmp(c.name, set.f32.name) != 0) continue;
      static_cast<TrainingKernels<float>&>(set.f32) = c.kernels->f32;
      static_cast<TrainingKernels<double>&>(set.f64) = c.kernels->f64;
    }
  }
  return sets;
}

}  // namespace

const KernelSet& named(const std::string& name) {
  static const auto* const sets = new std::vector<KernelSet>(complete_sets());
  return find(*sets, name, "instruction set");
}

const KernelSet& active() {
  static const KernelSet& chosen = named(active_inference().f32.name);
  return chosen;
}

}  // namespace chainrule::kernels

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernels/table.hpp"

namespace chainrule::kernels {

/// Instruction sets that are both built in and supported by this processor, best first; "portable"
/// is always last.
std::vector<std::string> available();

/// The kernels in use: the best available, or what the environment variable CHAINRULE_ISA names.
/// Throws Error when it names one that is unknown, not built in or not supported here.
const KernelSet& active();

/// The same with null for those of training. A program that asks for nothing else does not link
/// them.
const KernelSet& active_inference();

/// The kernels of one instruction set; throws Error like active().
const KernelSet& named(const std::string& name);

/// Those of the available instruction sets, in their order, as active_inference() has them.
const std::vector<KernelSet>& inference_sets();

/// The one of that name among `sets`; throws Error, which calls it `what`, when there is none.
const KernelSet& find(const std::vector<KernelSet>& sets, const std::string& name,
                      const char* what);

template <class T>
const KernelTable<T>& table(const KernelSet& set);
template <>
inline const KernelTable<float>& table<float>(const KernelSet& set) {
  return set.f32;
}
template <>
inline const KernelTable<double>& table<double>(const KernelSet& set) {
  return set.f64;
}

}  // namespace chainrule::kernels

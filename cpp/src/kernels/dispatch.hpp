// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernels/table.hpp"

namespace chainrule::kernels {

/// Instruction sets that are both built in and supported by this processor, best first; "portable"
/// is always last.
std::vector<std::string> available();

/// The one in use: the best available, or what the environment variable CHAINRULE_ISA names. Throws
/// Error when it names one that is unknown, not built in or not supported here.
const std::string& active_name();

/// The kernels in use; throws Error like active_name().
template <class T>
const KernelTable<T>& active();

/// The same with null for those of training. A program that asks for nothing else does not link
/// them, nor those of the other precision.
template <class T>
const KernelTable<T>& active_inference();

/// The kernels of one instruction set; throws Error like active_name().
template <class T>
const KernelTable<T>& named(const std::string& name);

/// Those of the available instruction sets, in their order, as active_inference() has them.
template <class T>
const std::vector<KernelTable<T>>& inference_tables();

/// `name` where it is one of available(); throws Error, which calls it `what`, where it is not.
const std::string& checked_name(const std::string& name, const char* what);

/// The kernels of one precision.
template <class T, template <class> class Kernels>
constexpr const Kernels<T>* by_precision(const Kernels<float>& f32, const Kernels<double>& f64) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return &f32;
  } else {
    return &f64;
  }
}

/// The table of that name, which is one of available().
template <class T>
const KernelTable<T>& find(const std::vector<KernelTable<T>>& tables, const std::string& name) {
  std::size_t i = 0;
  while (tables[i].name != name) ++i;
  return tables[i];
}

}  // namespace chainrule::kernels

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "chainrule/optimizer.hpp"

namespace chainrule::model {

/// Calls visit(options) with the options of the optimizer's kind, in whatever type they have.
template <class Self, class Visit, class... Kinds>
void with_options(Self& optimizer, Visit&& visit, OptimizerTable<Kinds...>) {
  const auto visited = [&]<class Options>() {
    if (optimizer.kind() != Options::row.kind) return false;
    visit(optimizer.template get<Options>());
    return true;
  };
  (void)(visited.template operator()<Kinds>() || ...);
}

template <class Self, class Visit>
void with_options(Self& optimizer, Visit&& visit) {
  with_options(optimizer, std::forward<Visit>(visit), Optimizers());
}

/// Calls visit(slot) for each array that the optimizer keeps.
template <class Visit>
void for_each_slot(const Optimizer& optimizer, Visit&& visit) {
  with_options(optimizer, [&](const auto& options) {
    const OptimizerSlots slots = options.slots();
    for (const OptimizerSlot& slot : slots.list)
      if (slot.name != nullptr && slot.is_kept) visit(slot);
  });
}

}  // namespace chainrule::model

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>

#include "chainrule/chainrule.h"

namespace chainrule::c_api {

/// What the caller's own function says that it could not do.
struct CallbackError final : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Keeps the text of the exception being handled for chainrule_last_error, and gives its status.
/// Allocates nothing.
chainrule_status set_last_error() noexcept;

/// Runs `work`, a call of the C interface: nothing that it throws leaves it.
template <class Work>
chainrule_status translate_exceptions(const Work& work) noexcept {
  try {
    work();
    return CHAINRULE_OK;
  } catch (...) {
    return set_last_error();
  }
}

}  // namespace chainrule::c_api

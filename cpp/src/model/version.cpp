// SPDX-License-Identifier: Apache-2.0
#include "chainrule/version.h"

namespace chainrule {

const char* version() noexcept { return CHAINRULE_VERSION; }

}  // namespace chainrule

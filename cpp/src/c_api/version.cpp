// SPDX-License-Identifier: Apache-2.0
#include "chainrule/chainrule.h"

uint32_t chainrule_abi_version() { return CHAINRULE_ABI_VERSION; }

const char* chainrule_version() { return chainrule::version(); }

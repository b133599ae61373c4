// SPDX-License-Identifier: Apache-2.0
// Templates that are not in headers are instantiated for both precisions at the end of their file:
// it lists them in a macro CHAINRULE_MEMBERS(T), passes that on, and undefines it. The unit for
// dual numbers includes such files and instantiates what it uses.
#pragma once

#ifdef CHAINRULE_DUAL_NUMBERS
#define CHAINRULE_INSTANTIATE(MEMBERS)
#else
#define CHAINRULE_INSTANTIATE(MEMBERS) MEMBERS(float) MEMBERS(double)
#endif

// SPDX-License-Identifier: Apache-2.0
// The members of Network lie in several files, each of which instantiates its own for both
// precisions: it lists them in a macro CHAINRULE_MEMBERS(T), passes that on, and undefines it.
#pragma once

#define CHAINRULE_INSTANTIATE(MEMBERS) MEMBERS(float) MEMBERS(double)

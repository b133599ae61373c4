// SPDX-License-Identifier: Apache-2.0
#pragma once

#define CHAINRULE_INLINE inline __attribute__((always_inline))
#define CHAINRULE_LAMBDA __attribute__((always_inline))

// SPDX-License-Identifier: Apache-2.0
// Every C++ header includes this one before it declares anything, so that a compiler in an older
// mode says what is wrong instead of what follows from it.
#pragma once

#if defined(_MSVC_LANG) ? _MSVC_LANG < 202002L : __cplusplus < 202002L
#error chainrule needs C++20: compile with -std=c++20 (/std:c++20), or use chainrule/chainrule.h
// Compilers go on behind an error, but not behind a file that is missing.
#include "chainrule/needs-c++20"
#endif

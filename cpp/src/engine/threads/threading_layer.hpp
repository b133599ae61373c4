// SPDX-License-Identifier: Apache-2.0
// Where the threads of a team come from.
#pragma once

#include <string>
#include <vector>

namespace chainrule::engine {

/// pool: the library's own threads, which sleep between calls. openmp: a parallel region of the
/// OpenMP runtime that the process has loaded. serial: the caller alone.
enum class ThreadingLayer { pool, openmp, serial };

/// What CHAINRULE_THREADING_LAYER names when it is first asked for, or else the default of the
/// build. In a forked child a pool stands in for OpenMP, whose threads do not survive a fork.
/// Throws Error where the variable names no layer of this build.
ThreadingLayer threading_layer();

const char* name_of(ThreadingLayer layer);

/// The layers of this build, its default first.
std::vector<std::string> threading_layers();

}  // namespace chainrule::engine

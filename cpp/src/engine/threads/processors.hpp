// SPDX-License-Identifier: Apache-2.0
// What the system grants: how many processors, and how long a thread had to wait for one.
#pragma once

#include <chrono>
#include <string>

namespace chainrule::engine {

/// The processors that the calling thread may run on; at least 1.
int allowed_processors();

/// The processors' worth of time that the cgroups of this process may use, rounded up; 0 where
/// there is no quota or none can be read. `root` stands before every path that is read.
int cgroup_quota(const std::string& root = {});

/// How long the calling thread has been ready to run without a processor, in its whole life; always
/// 0 where the system does not tell.
std::chrono::nanoseconds time_without_processor();

}  // namespace chainrule::engine

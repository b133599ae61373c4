// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>

namespace chainrule::engine {

/// Where random numbers come from: the stream of this number of the network's seed plus `offset`.
struct RandomPlace {
  std::uint64_t offset = 0;
  std::uint64_t number = 0;
};

/// Numbers layers, or parameters, as they would be numbered if there were no other members of an
/// ensemble: see Graph::set_member.
class MemberCount {
 public:
  RandomPlace next(std::int64_t member) {
    if (member == 0) return {0, common_++};
    return {static_cast<std::uint64_t>(member - 1), common_ + own_[member]++};
  }

 private:
  std::uint64_t common_ = 0;
  std::map<std::int64_t, std::uint64_t> own_;
};

}  // namespace chainrule::engine

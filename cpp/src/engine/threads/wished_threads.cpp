// SPDX-License-Identifier: Apache-2.0
#include "engine/threads/wished_threads.hpp"

#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>

#include "chainrule/error.hpp"

namespace chainrule::engine {

// Text behind the number is allowed only as spaces or as the rest of a list.
int first_thread_count(const char* text) {
  if (!text) return 0;
  char* end = nullptr;
  const long n = std::strtol(text, &end, 10);
  while (*end == ' ') ++end;
  const bool whole = end != text && (*end == '\0' || *end == ',');
  return whole && n >= 1 && n <= std::numeric_limits<int>::max() ? static_cast<int>(n) : 0;
}

int wished_threads() {
  const char* text = std::getenv("CHAINRULE_NUM_THREADS");
  if (text == nullptr || *text == '\0') return 0;
  const int count = std::strchr(text, ',') == nullptr ? first_thread_count(text) : 0;
  if (count > 0) return count;
  throw Error("CHAINRULE_NUM_THREADS is '" + std::string(text).substr(0, 40) +
              "', expected a whole number from 1 on, or nothing for as many as there may be");
}

}  // namespace chainrule::engine

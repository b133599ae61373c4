/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHAINRULE_VERSION_H
#define CHAINRULE_VERSION_H

/* The one place where the version is written: CMakeLists.txt and pyproject.toml read these three
 * numbers. */
#define CHAINRULE_VERSION_MAJOR 0
#define CHAINRULE_VERSION_MINOR 1
#define CHAINRULE_VERSION_PATCH 0

#define CHAINRULE_STRINGIZE_(x) #x
#define CHAINRULE_STRINGIZE(x) CHAINRULE_STRINGIZE_(x)
#define CHAINRULE_VERSION                      \
  CHAINRULE_STRINGIZE(CHAINRULE_VERSION_MAJOR) \
  "." CHAINRULE_STRINGIZE(CHAINRULE_VERSION_MINOR) "." CHAINRULE_STRINGIZE(CHAINRULE_VERSION_PATCH)

#include "chainrule/export.h"

#ifdef __cplusplus
namespace chainrule {

/// Version of the linked library; differs from CHAINRULE_VERSION when header and archive do not
/// belong together.
[[nodiscard]] CHAINRULE_API const char* version() noexcept;

}  // namespace chainrule
#endif

#endif /* CHAINRULE_VERSION_H */

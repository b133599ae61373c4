/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHAINRULE_EXPORT_H
#define CHAINRULE_EXPORT_H

/* What a shared library lets others call, and what it keeps to itself. CMake's target and the
 * pkg-config file define CHAINRULE_SHARED for the library and for what links it; without it, what
 * an archive brings into another library stays inside of that. */
#if defined(CHAINRULE_SHARED) && !defined(_WIN32)
#define CHAINRULE_API __attribute__((visibility("default")))
#define CHAINRULE_HIDDEN __attribute__((visibility("hidden")))
#else
#define CHAINRULE_API
#define CHAINRULE_HIDDEN
#endif

#endif /* CHAINRULE_EXPORT_H */

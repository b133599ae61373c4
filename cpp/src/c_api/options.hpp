// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "chainrule/chainrule.h"

/// The caller's structures, which may be shorter or longer than the ones here when the header that
/// the caller was compiled with is older or newer, and its other arguments.
namespace chainrule::c_api {

/// What a structure measured in the first version that had it. One that grows keeps its old size
/// here, as a specialisation.
template <class S>
inline constexpr std::size_t first_size = sizeof(S);
template <>
inline constexpr std::size_t first_size<chainrule_fit_options> =
    offsetof(chainrule_fit_options, early_stopping);
template <>
inline constexpr std::size_t first_size<chainrule_targets> =
    offsetof(chainrule_targets, label_positions);
template <>
inline constexpr std::size_t first_size<chainrule_batch_report> =
    offsetof(chainrule_batch_report, losses);
template <>
inline constexpr std::size_t first_size<chainrule_network_info> =
    offsetof(chainrule_network_info, input_nodes);
template <>
inline constexpr std::size_t first_size<chainrule_predictor_options> =
    offsetof(chainrule_predictor_options, weights);
template <>
inline constexpr std::size_t first_size<chainrule_trainer_options> =
    offsetof(chainrule_trainer_options, loss_weights);

/// Throws Error when `structure` is null or its size is not one that it can have.
void check_size(const void* structure, std::size_t least, const char* name);
/// Copies a checked structure; what the caller's header lacks becomes 0. Throws Error for a member
/// that is set but not known here.
void read(const void* from, void* to, std::size_t size, const char* name);
/// Fills a checked structure as far as the caller's header goes; keeps struct_size.
void write(const void* from, void* to, std::size_t size);

template <class S>
S read_structure(const S* given, const char* name) {
  static_assert(std::is_trivially_copyable_v<S>);
  check_size(given, first_size<S>, name);
  S read_here{};
  read(given, &read_here, sizeof(S), name);
  return read_here;
}

/// Null stands for a structure without any member set.
template <class S>
S read_options(const S* given) {
  return given == nullptr ? S{} : read_structure(given, "options");
}

template <class S>
void check_structure(const S* given, const char* name) {
  check_size(given, first_size<S>, name);
}
template <class S>
void write_structure(const S& values, S* to) {
  write(&values, to, sizeof(S));
}

/// Throws Error when `pointer` is null.
void require_non_null(const void* pointer, const char* name);

/// Text that must be given.
std::string_view text(const char* given, const char* name);

/// Throws Error unless it is a number of threads, where 0 leaves the choice to the library.
int thread_count(std::int64_t given);

}  // namespace chainrule::c_api

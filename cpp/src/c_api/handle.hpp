// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

namespace chainrule::c_api {

enum class Kind : std::uint8_t {
  network,
  trainer,
  full_batch_trainer,
  predictor,
  scratch,
  streaming_predictor,
  stream_state
};

/// What a handle stands for. Each kind of object says which C type points to its handles, as
/// `Opaque`, and its `kind`.
struct Object {
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
};

/// A new handle. Handles are all of one type behind their C types, so that one that was destroyed
/// or is of another kind can be seen.
void* make_handle(std::unique_ptr<Object> object, Kind kind);

/// Throws Error when the handle is null, destroyed, as far as that can be seen, or of another kind.
Object& object_of(const void* handle, Kind kind);

/// Does nothing for null. The latest 1024 destroyed handles are recognised.
void destroy_handle(void* handle, Kind kind);

/// Gives `object` a handle and writes it to `handle`, which is not null.
template <class O>
void return_handle(std::unique_ptr<O> object, typename O::Opaque** handle) {
  *handle = static_cast<typename O::Opaque*>(make_handle(std::move(object), O::kind));
}

template <class O>
O& object_of(typename O::Opaque* handle) {
  return static_cast<O&>(object_of(handle, O::kind));
}
template <class O>
const O& object_of(const typename O::Opaque* handle) {
  return static_cast<const O&>(object_of(handle, O::kind));
}

}  // namespace chainrule::c_api

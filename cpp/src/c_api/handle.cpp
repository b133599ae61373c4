// SPDX-License-Identifier: Apache-2.0
#include "c_api/handle.hpp"

#include <atomic>
#include <mutex>
#include <new>
#include <string>

#include "chainrule/error.hpp"

namespace chainrule::c_api {
namespace {

// "chain" and a number; destroyed handles have the greatest.
constexpr std::uint64_t tag_base = 0x636861696e000000;
constexpr std::uint64_t destroyed_tag = tag_base + 0xff;

constexpr std::uint64_t tag_of(Kind kind) { return tag_base + static_cast<std::uint64_t>(kind); }

std::string name_of(Kind kind) {
  switch (kind) {
    case Kind::network:
      return "network";
    case Kind::trainer:
      return "trainer";
    case Kind::full_batch_trainer:
      return "full_batch_trainer";
    case Kind::predictor:
      return "predictor";
    case Kind::scratch:
      return "scratch";
    case Kind::streaming_predictor:
      return "streaming_predictor";
    case Kind::stream_state:
      break;
  }
  return "stream_state";
}

struct Handle {
  std::atomic<std::uint64_t> tag;
  std::unique_ptr<Object> object;
  Handle* next = nullptr;  // destroyed after this one
};

/// Destroyed handles, oldest first: the latest keep their memory, so that reading their tag is no
/// use after free.
class DestroyedHandles {
 public:
  void add(Handle* handle) {
    const std::lock_guard lock(mutex_);
    (last_ == nullptr ? first_ : last_->next) = handle;
    last_ = handle;
    if (count_ < most) {
      ++count_;
      return;
    }
    const std::unique_ptr<Handle> oldest(first_);
    first_ = oldest->next;
  }

 private:
  static constexpr int most = 1024;
  std::mutex mutex_;
  Handle* first_ = nullptr;
  Handle* last_ = nullptr;
  int count_ = 0;
};

DestroyedHandles& destroyed_handles() {
  // Never destroyed itself: programs destroy handles in their own static destructors. Nor
  // allocated: destroying a handle must not fail.
  alignas(DestroyedHandles) static unsigned char memory[sizeof(DestroyedHandles)];
  static auto* const handles = new (memory) DestroyedHandles;
  return *handles;
}

[[noreturn]] void refuse(std::uint64_t tag, Kind kind) {
  const std::string name = name_of(kind);
  if (tag == destroyed_tag) throw Error("the " + name + " has been destroyed");
  for (const Kind other : {Kind::network, Kind::trainer, Kind::full_batch_trainer, Kind::predictor,
                           Kind::scratch, Kind::streaming_predictor, Kind::stream_state})
    if (tag == tag_of(other))
      throw Error("expected a chainrule_" + name + ", got a chainrule_" + name_of(other));
  throw Error("the pointer given for a chainrule_" + name + " is no handle");
}

const Handle& checked(const void* pointer, Kind kind) {
  if (pointer == nullptr) throw Error(name_of(kind) + " is NULL");
  const auto& handle = *static_cast<const Handle*>(pointer);
  const std::uint64_t tag = handle.tag.load(std::memory_order_acquire);
  if (tag != tag_of(kind)) refuse(tag, kind);
  return handle;
}

}  // namespace

void* make_handle(std::unique_ptr<Object> object, Kind kind) {
  return new Handle{tag_of(kind), std::move(object)};
}

Object& object_of(const void* handle, Kind kind) { return *checked(handle, kind).object; }

void destroy_handle(void* handle, Kind kind) {
  if (handle == nullptr) return;
  (void)checked(handle, kind);
  auto* destroyed = static_cast<Handle*>(handle);
  std::uint64_t tag = tag_of(kind);
  // Of two threads that destroy it at once, one is refused.
  if (!destroyed->tag.compare_exchange_strong(tag, destroyed_tag)) refuse(tag, kind);
  destroyed->object.reset();
  destroyed_handles().add(destroyed);
}

}  // namespace chainrule::c_api

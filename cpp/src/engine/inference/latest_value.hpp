// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace chainrule::engine {

/// A hand-off from one writer to many readers (SPMC) of the latest of a series of items, in which
/// readers never wait. The writer fills an item that no reader uses and stores it with every
/// reader; a reader acquires it before it starts. So a reader uses one item at a time, and the
/// writer knows which from what it stored and whether that was acquired.
template <class Item>
class LatestValue {
 public:
  /// One reader's end.
  class Reader {
   public:
    explicit Reader(LatestValue& from) : from_(from) { from_.connect(*this); }
    ~Reader() { from_.disconnect(*this); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// Wait-free. Valid until the next call.
    const Item& acquire() noexcept {
      // Acquires what the writer filled in, and releases what this reader has read so far.
      if (sent_.load(std::memory_order_relaxed))
        held_ = sent_.exchange(nullptr, std::memory_order_acq_rel);
      return *held_;
    }

   private:
    friend class LatestValue;
    LatestValue& from_;
    alignas(64) std::atomic<const Item*> sent_{nullptr};
    const Item* held_ = nullptr;
  };

  /// All readers begin with this item.
  explicit LatestValue(std::unique_ptr<Item> first) {
    latest_ = first.get();
    items_.push_back(std::move(first));
  }

  /// Calls fill(item) for an item that no reader uses, made by make() if there is none, and sends
  /// it to all readers. Where either throws, the readers keep what they have.
  template <class Make, class Fill>
  void publish(Make make, Fill fill) {
    const std::lock_guard lock(mutex_);
    for (Delivery& delivery : deliveries_) {
      if (delivery.sent && !delivery.reader->sent_.load(std::memory_order_acquire))
        delivery.acquired();
    }
    Item* item = unused();
    if (!item) {
      items_.push_back(make());
      item = items_.back().get();
    }
    fill(*item);
    for (Delivery& delivery : deliveries_) {
      if (!delivery.reader->sent_.exchange(item, std::memory_order_acq_rel) && delivery.sent)
        delivery.acquired();
      delivery.sent = item;
    }
    latest_ = item;
  }

 private:
  /// What the writer knows of a reader.
  struct Delivery {
    Reader* reader;
    const Item* held;
    const Item* sent;  // null: acquired

    void acquired() {
      held = sent;
      sent = nullptr;
    }
  };

  /// A new reader holds the latest item without having acquired it; connecting waits for `publish`.
  void connect(Reader& reader) {
    const std::lock_guard lock(mutex_);
    deliveries_.push_back({&reader, latest_, nullptr});
    reader.held_ = latest_;
  }

  void disconnect(Reader& reader) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase_if(deliveries_,
                  [&](const Delivery& delivery) { return delivery.reader == &reader; });
  }

  /// An item that is not the latest and that no reader holds or has been sent; null where there is
  /// none. What is sent and not acquired is the latest, so n readers use at most n + 1 items, and
  /// there are never more than n + 2.
  Item* unused() {
    for (const std::unique_ptr<Item>& item : items_) {
      bool used = item.get() == latest_;
      for (const Delivery& delivery : deliveries_)
        used |= item.get() == delivery.held || item.get() == delivery.sent;
      if (!used) return item.get();
    }
    return nullptr;
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<Item>> items_;
  Item* latest_;
  std::vector<Delivery> deliveries_;
};

}  // namespace chainrule::engine

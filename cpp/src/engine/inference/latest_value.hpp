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
  class Mailbox {
   public:
    explicit Mailbox(LatestValue& from) : from_(from) { from_.connect(*this); }
    ~Mailbox() { from_.disconnect(*this); }
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    /// Wait-free. Valid until the next call.
    const Item& take() noexcept {
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
    for (Reader& reader : readers_) {
      if (reader.sent && !reader.mailbox->sent_.load(std::memory_order_acquire)) reader.taken();
    }
    Item* item = unused();
    if (!item) {
      items_.push_back(make());
      item = items_.back().get();
    }
    fill(*item);
    for (Reader& reader : readers_) {
      if (!reader.mailbox->sent_.exchange(item, std::memory_order_acq_rel) && reader.sent)
        reader.taken();
      reader.sent = item;
    }
    latest_ = item;
  }

 private:
  /// What the writer knows of a reader.
  struct Reader {
    Mailbox* mailbox;
    const Item* held;
    const Item* sent;  // null: taken

    void taken() {
      held = sent;
      sent = nullptr;
    }
  };

  /// A new reader holds the latest item without having taken it; connecting waits for `publish`.
  void connect(Mailbox& mailbox) {
    const std::lock_guard lock(mutex_);
    readers_.push_back({&mailbox, latest_, nullptr});
    mailbox.held_ = latest_;
  }

  void disconnect(Mailbox& mailbox) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase_if(readers_, [&](const Reader& reader) { return reader.mailbox == &mailbox; });
  }

  /// An item that is not the latest and that no reader holds or has been sent; null where there is
  /// none. What is sent and not taken is the latest, so n readers use at most n + 1 items, and
  /// there are never more than n + 2.
  Item* unused() {
    for (const std::unique_ptr<Item>& item : items_) {
      bool used = item.get() == latest_;
      for (const Reader& reader : readers_)
        used |= item.get() == reader.held || item.get() == reader.sent;
      if (!used) return item.get();
    }
    return nullptr;
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<Item>> items_;
  Item* latest_;
  std::vector<Reader> readers_;
};

}  // namespace chainrule::engine

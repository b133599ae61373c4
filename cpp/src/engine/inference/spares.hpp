// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

namespace chainrule::engine {

/// A small number of the calling thread's own.
inline std::size_t thread_number() noexcept {
  static std::atomic<std::size_t> next{0};
  static thread_local const std::size_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

/// Items that calls borrow, each alone for its time. There come to be as many as there are calls at
/// once, of which up to `most` are kept for later calls. No call waits.
template <class Item>
class Spares {
 public:
  Spares() = default;
  ~Spares() { clear(); }
  Spares(const Spares&) = delete;
  Spares& operator=(const Spares&) = delete;

  /// An item for as long as the loan lives; none where all are lent, for the borrower to make.
  class Loan {
   public:
    explicit Loan(Spares& from) : item(from.take()), from_(from) {}
    ~Loan() {
      if (item) from_.give_back(std::move(item));
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;

    std::unique_ptr<Item> item;

   private:
    Spares& from_;
  };

  /// Deletes what is not lent.
  void clear() noexcept {
    for (auto& slot : slots_) delete slot.exchange(nullptr, std::memory_order_acquire);
  }

 private:
  static constexpr std::size_t most = 64;

  /// Each thread begins with a slot of its own, where it finds what it gave back, in its cache.
  std::unique_ptr<Item> take() noexcept {
    const std::size_t first = thread_number();
    for (std::size_t i = 0; i < most; ++i) {
      std::atomic<Item*>& slot = slots_[(first + i) % most];
      if (!slot.load(std::memory_order_relaxed)) continue;
      if (Item* item = slot.exchange(nullptr, std::memory_order_acquire))
        return std::unique_ptr<Item>(item);
    }
    return nullptr;
  }

  /// The item goes into the first free slot from the thread's own on; where all are taken it is
  /// deleted.
  void give_back(std::unique_ptr<Item> item) noexcept {
    const std::size_t first = thread_number();
    for (std::size_t i = 0; i < most; ++i) {
      Item* none = nullptr;
      if (slots_[(first + i) % most].compare_exchange_strong(
              none, item.get(), std::memory_order_release, std::memory_order_relaxed)) {
        (void)item.release();
        return;
      }
    }
  }

  // Null: nothing there. An exchange hands an item over with all that its last borrower has
  // written.
  std::array<std::atomic<Item*>, most> slots_{};
};

}  // namespace chainrule::engine

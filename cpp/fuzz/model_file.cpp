// SPDX-License-Identifier: Apache-2.0
// A fuzz target: whatever the bytes, they are a model or a ModelFileError, in little memory. A
// model that was read is written and read again to the same bytes.
//
//     cmake --preset fuzz && cmake --build --preset fuzz
//     python cpp/fuzz/model_file_seeds.py build/fuzz/corpus
//     build/fuzz/cpp/fuzz/fuzz_model_file -max_len=16384 -timeout=10 -rss_limit_mb=2048
//         -malloc_limit_mb=64 -dict=cpp/fuzz/model_file.dict build/fuzz/corpus
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "chainrule/any_model.hpp"
#include "chainrule/error.hpp"

// GCC's sanitizers come without the header for it.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHAINRULE_COUNT_MEMORY
#endif
#endif
#ifdef CHAINRULE_COUNT_MEMORY
#include <sanitizer/allocator_interface.h>
#endif

namespace {

void require(bool holds, const char* text) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", text);
  std::abort();
}

#ifdef CHAINRULE_COUNT_MEMORY
std::size_t in_use = 0;
std::size_t peak = 0;

void on_allocation(const volatile void*, std::size_t size) {
  in_use += size;
  if (in_use > peak) peak = in_use;
}
void on_release(const volatile void* pointer) { in_use -= __sanitizer_get_allocated_size(pointer); }

/// The most memory that `work` had allocated at a time.
template <class Work>
std::size_t peak_memory(const Work& work) {
  static const int installed = __sanitizer_install_malloc_and_free_hooks(on_allocation, on_release);
  require(installed != 0, "the sanitizer takes no hooks");
  const std::size_t before = in_use;
  peak = in_use;
  work();
  return peak - before;
}
#else
template <class Work>
std::size_t peak_memory(const Work& work) {
  work();
  return 0;
}
#endif

std::string bytes_of(const chainrule::AnyModel& model) {
  return std::visit(
      [](const auto& read) { return chainrule::model_bytes(read.network, read.training); }, model);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  std::optional<chainrule::AnyModel> model;
  const std::size_t memory = peak_memory([&] {
    try {
      model = chainrule::read_any_model(content);
    } catch (const chainrule::ModelFileError&) {
    }
  });
  require(memory <= 2 * size + 1'000'000, "more memory than twice the file and 1 MB");
  if (!model) return 0;
  const std::string written = bytes_of(*model);
  require(bytes_of(chainrule::read_any_model(written)) == written,
          "a model that was read is not written and read to the same bytes");
  return 0;
}

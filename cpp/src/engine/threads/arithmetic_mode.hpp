// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace chainrule::engine {

/// What happens to denormal inputs and results: they are worthless here, and cost a hundred times
/// more than zeros.
enum class Denormals { flushed, kept };

/// For its lifetime rounds to nearest and traps nothing, whatever the caller's mode, with denormals
/// as asked for.
class ArithmeticMode {
 public:
#if defined(__x86_64__)
  explicit ArithmeticMode(Denormals denormals = Denormals::flushed) : saved_(_mm_getcsr()) {
    _mm_setcsr(0x1f80u | (denormals == Denormals::flushed ? 0x8040u : 0u));
  }
  ~ArithmeticMode() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#elif defined(__aarch64__)
  explicit ArithmeticMode(Denormals denormals = Denormals::flushed) {
    const std::uint64_t flushed = denormals == Denormals::flushed ? 1 : 0;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(saved_));
    __asm__ __volatile__("msr fpcr, %0" : : "r"(flushed << 24));
  }
  ~ArithmeticMode() { __asm__ __volatile__("msr fpcr, %0" : : "r"(saved_)); }

 private:
  std::uint64_t saved_;
#else
  explicit ArithmeticMode(Denormals = Denormals::flushed) {}
  ~ArithmeticMode() {}
#endif
  ArithmeticMode(const ArithmeticMode&) = delete;
  ArithmeticMode& operator=(const ArithmeticMode&) = delete;
};

}  // namespace chainrule::engine

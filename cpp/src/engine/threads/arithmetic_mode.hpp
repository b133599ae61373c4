// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace chainrule::engine {

/// For its lifetime rounds to nearest, traps nothing, whatever the caller's mode, and flushes
/// denormal inputs and results to zero: they are worthless here and cost a hundred times more.
class ArithmeticMode {
 public:
#if defined(__x86_64__)
  ArithmeticMode() : saved_(_mm_getcsr()) { _mm_setcsr(0x1f80u | 0x8040u); }
  ~ArithmeticMode() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#elif defined(__aarch64__)
  ArithmeticMode() {
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(saved_));
    __asm__ __volatile__("msr fpcr, %0" : : "r"(std::uint64_t{1} << 24));
  }
  ~ArithmeticMode() { __asm__ __volatile__("msr fpcr, %0" : : "r"(saved_)); }

 private:
  std::uint64_t saved_;
#else
  ArithmeticMode() {}
  ~ArithmeticMode() {}
#endif
  ArithmeticMode(const ArithmeticMode&) = delete;
  ArithmeticMode& operator=(const ArithmeticMode&) = delete;
};

}  // namespace chainrule::engine

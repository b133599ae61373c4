// SPDX-License-Identifier: Apache-2.0
// Prints a Markdown table of the elementary functions' errors: every float, and a sample of
// doubles, on every instruction set of this machine.
//
//   ulp_table [functions...]
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "kernels/dispatch.hpp"
#include "ulp.hpp"

namespace {

using namespace chainrule::kernels;

constexpr int64_t kBlock = int64_t(1) << 16;
constexpr int64_t kFloatBlocks = (int64_t(1) << 32) / kBlock;
constexpr int64_t kDoubleBlocks = 512;
constexpr int kThreads = 2;

/// Consecutive bit patterns, so that all blocks together hold every float.
void fill(int64_t block, std::vector<float>& x) {
  for (int64_t i = 0; i < kBlock; ++i) {
    const uint32_t bits = uint32_t(block * kBlock + i);
    std::memcpy(&x[size_t(i)], &bits, sizeof(bits));
  }
}

void fill(int64_t block, std::vector<double>& x) { sample_doubles(uint64_t(block), x); }

struct Errors {
  double max = 0.0;
  double where = 0.0;
  double sum = 0.0;
  int64_t count = 0;

  void merge(const Errors& other) {
    if (other.max > max) {
      max = other.max;
      where = other.where;
    }
    sum += other.sum;
    count += other.count;
  }
};

/// The 64-bit FNV-1a hash, by words instead of bytes.
uint64_t hash(const void* data, size_t bytes) {
  uint64_t h = 0xcbf29ce484222325;
  for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, static_cast<const char*>(data) + i, sizeof(word));
    h = (h ^ word) * 0x100000001b3;
    h ^= h >> 29;
  }
  return h;
}

template <class T>
struct Result {
  Errors errors;                 // the worst of all instruction sets
  std::vector<uint64_t> hashes;  // of all results in order, per instruction set
};

template <class T>
Result<T> measure(MathFunction function, const std::vector<std::string>& sets, int64_t blocks) {
  std::vector<std::vector<uint64_t>> hashes(sets.size(), std::vector<uint64_t>(size_t(blocks)));
  std::array<Errors, kThreads> errors;
  const auto work = [&](int thread) {
    std::vector<T> x(kBlock), y(kBlock), measured(kBlock);
    for (int64_t block = thread; block < blocks; block += kThreads) {
      fill(block, x);
      for (size_t s = 0; s < sets.size(); ++s) {
        table<T>(named(sets[s])).math(function, x.data(), y.data(), kBlock);
        hashes[s][size_t(block)] = hash(y.data(), y.size() * sizeof(T));
        if (s > 0 && hashes[s][size_t(block)] == hashes[0][size_t(block)]) continue;
        Errors& e = errors[size_t(thread)];
        for (size_t i = 0; i < x.size(); ++i) {
          const Wide<T> exact = exact_value(function, x[i]);
          const double ulp = ulp_error(y[i], exact);
          if (ulp > e.max) {
            e.max = ulp;
            e.where = double(x[i]);
          }
          // Results without a rounding, as at NaN and in saturation, would flatter the mean.
          if (std::isfinite(exact) && ulp > 0.0) {
            e.sum += ulp;
            ++e.count;
          }
        }
      }
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) threads.emplace_back(work, t);
  for (std::thread& t : threads) t.join();

  Result<T> result;
  for (const Errors& e : errors) result.errors.merge(e);
  for (const auto& h : hashes) result.hashes.push_back(hash(h.data(), h.size() * sizeof(h[0])));
  return result;
}

template <class T>
void print_row(MathFunction function, const char* type, int64_t blocks) {
  const std::vector<std::string> sets = available();
  const Result<T> result = measure<T>(function, sets, blocks);
  bool identical = true;
  for (const uint64_t h : result.hashes) identical &= h == result.hashes[0];
  const Errors& e = result.errors;
  std::printf("| %s | %s | %.3f | %.9g | %.3f | %s | %016llx |\n", name(function).c_str(), type,
              e.max, e.where, e.count ? e.sum / double(e.count) : 0.0, identical ? "yes" : "NO",
              static_cast<unsigned long long>(result.hashes[0]));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<MathFunction> functions;
  for (const MathFunction f : kMathFunctions) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; ++i) wanted |= argv[i] == name(f);
    if (wanted) functions.push_back(f);
  }
  if (functions.empty()) {
    std::fprintf(stderr, "usage: ulp_table [exp|expm1|log|log1p|tanh|sigmoid|erf ...]\n");
    return 2;
  }
  std::printf("Instruction sets:");
  for (const std::string& name : available()) std::printf(" %s", name.c_str());
  std::printf("\n\n| function | type | max ulp | at | mean ulp | same bits | hash |\n");
  std::printf("|---|---|---|---|---|---|---|\n");
  for (const MathFunction f : functions) print_row<double>(f, "double, sampled", kDoubleBlocks);
  for (const MathFunction f : functions) print_row<float>(f, "float, all", kFloatBlocks);
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Times single calls of every library in turns and prints their medians and tails as a table.
// usage: embedding_benchmark rows|streams [seconds per network and library]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "description.hpp"

#define PEER(name) PEER_EXPORT Factory make_##name;
#include "peers.inc"
#undef PEER

namespace {

constexpr Factory* kFactories[] = {
#define PEER(name) make_##name,
#include "peers.inc"
#undef PEER
};

using Clock = std::chrono::steady_clock;

double nanoseconds(Clock::duration d) {
  return std::chrono::duration<double, std::nano>(d).count();
}

/// The clock's own share of a timing.
double clock_cost() {
  std::vector<double> times;
  for (int i = 0; i < 10001; ++i) {
    const Clock::time_point start = Clock::now();
    times.push_back(nanoseconds(Clock::now() - start));
  }
  std::nth_element(times.begin(), times.begin() + 5000, times.end());
  return times[5000];
}

double quantile(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
}

struct Timing {
  std::unique_ptr<Peer> peer;
  std::vector<double> times;
};

bool agrees(Peer& peer, const Work& work) {
  std::vector<float> out(static_cast<std::size_t>(work.network().outputs()));
  const std::vector<std::vector<double>> expected = work.reference();
  // Layers behind a window of frames that is not full yet do not read zeros, as they should.
  const int first = work.network().is_stream() ? Work::kRows / 2 : 0;
  for (int i = 0; i < Work::kRows; ++i) {
    double largest = 0.0;
    for (const double v : expected[i]) largest = std::max(largest, std::fabs(v));
    peer.predict(work.row(i), out.data());
    if (i < first) continue;
    for (std::size_t j = 0; j < out.size(); ++j) {
      const double error = std::fabs(static_cast<double>(out[j]) - expected[i][j]);
      if (!(error <= 1e-3 * largest)) return false;
    }
  }
  return true;
}

void run(const Work& work, double seconds) {
  std::vector<Timing> timings;
  for (Factory* factory : kFactories) {
    std::unique_ptr<Peer> peer(factory(work.network()));
    if (!peer) continue;
    if (!agrees(*peer, work)) {
      std::printf("%s: %s gives other outputs and is left out\n", work.name().c_str(),
                  peer->name());
      continue;
    }
    timings.push_back({std::move(peer), {}});
  }
  const double cost = clock_cost();
  std::vector<float> out(static_cast<std::size_t>(work.network().outputs()));
  constexpr int rounds = 10;
  for (int round = 0; round < rounds; ++round) {
    for (Timing& t : timings) {
      for (int i = 0; i < 1000; ++i) t.peer->predict(work.row(i), out.data());
      const Clock::time_point end =
          Clock::now() + std::chrono::duration_cast<Clock::duration>(
                             std::chrono::duration<double>(seconds / rounds));
      for (std::int64_t i = 0;; ++i) {
        const Clock::time_point start = Clock::now();
        t.peer->predict(work.row(i), out.data());
        const Clock::time_point stop = Clock::now();
        t.times.push_back(std::max(0.0, nanoseconds(stop - start) - cost));
        if (stop > end) break;
      }
    }
  }
  double ours = 0.0;
  for (Timing& t : timings) {
    std::sort(t.times.begin(), t.times.end());
    const double median = quantile(t.times, 0.5);
    if (ours == 0.0) ours = median;
    std::printf("| %s | %s | %.0f | %.0f | %.0f | %.2f |\n", work.name().c_str(), t.peer->name(),
                median, quantile(t.times, 0.99), quantile(t.times, 0.999), median / ours);
  }
}

LayerOptions dense(std::int64_t units, ActivationKind activation = ActivationKind::linear) {
  return {LayerKind::dense, units, activation};
}

LayerOptions causal(std::int64_t dilation, ActivationKind activation) {
  return {LayerKind::causal_convolution, 16, activation, 3, dilation};
}

void run_rows(double seconds) {
  constexpr auto relu = ActivationKind::relu, tanh = ActivationKind::tanh;
  for (const auto& [f, name] : {std::pair(relu, " relu"), std::pair(tanh, " tanh")}) {
    const std::string activation = name;
    run({"8-64-64-4" + activation, 8, {dense(64, f), dense(64, f), dense(4)}}, seconds);
    run({"376-256-256-17" + activation, 376, {dense(256, f), dense(256, f), dense(17)}}, seconds);
  }
  run({"784-128-10 relu", 784, {dense(128, relu), dense(10)}}, seconds);
  run({"784-128-10 relu, 81 % zeros", 784, {dense(128, relu), dense(10)}, 0.81}, seconds);
}

void run_streams(double seconds) {
  run({"8-GRU 64-1", 8, {{LayerKind::gru, 64}, dense(1)}}, seconds);
  run({"8-LSTM 64-1", 8, {{LayerKind::lstm, 64}, dense(1)}}, seconds);
  constexpr auto relu = ActivationKind::relu, tanh = ActivationKind::tanh;
  for (const auto& [f, name] : {std::pair(relu, "relu"), std::pair(tanh, "tanh")})
    run({std::string("8-4 causal convolutions of 16-1 ") + name,
         8,
         {causal(1, f), causal(2, f), causal(4, f), causal(8, f), dense(1)}},
        seconds);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string works = argc > 1 ? argv[1] : "";
  const double seconds = argc > 2 ? std::atof(argv[2]) : 1.0;
  if (works != "rows" && works != "streams") {
    std::fprintf(stderr, "usage: %s rows|streams [seconds]\n", argv[0]);
    return 2;
  }
  std::printf("| network | library | median ns | p99 | p99.9 | times chainrule's |\n");
  std::printf("|---|---|---:|---:|---:|---:|\n");
  (works == "rows" ? run_rows : run_streams)(seconds);
  return 0;
}

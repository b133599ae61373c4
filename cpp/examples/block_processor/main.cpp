// SPDX-License-Identifier: Apache-2.0
// Blocks of sound go through a small network in time, while another thread trains it to imitate an
// amplifier and hands over new weights. Neither thread waits for the other.
// usage: block_processor [seconds]
#include <atomic>
#include <chainrule/layers.hpp>
#include <chainrule/predictor.hpp>
#include <chainrule/random.hpp>
#include <chainrule/trainer.hpp>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kRate = 48'000;     // samples a second
constexpr std::int64_t kBlock = 64;        // samples a block
constexpr std::int64_t kHistory = 8;       // samples that each output is worked out from
constexpr std::int64_t kSamples = 16'384;  // of training material

/// What the network is to imitate: a filter that drives a saturating stage.
float amplifier(const float* last) {
  return std::tanh(3.0f * (0.7f * last[kHistory - 1] + 0.3f * last[kHistory - 2]));
}

/// Trains until told to stop.
void train(chainrule::Network<float>& network, chainrule::Predictor<float>& predictor,
           const std::atomic<bool>& stop) {
  using namespace chainrule;
  RandomStream random(1, RandomUse::shuffle, 0);
  std::vector<float> sound(kSamples + kHistory - 1);
  for (float& sample : sound) sample = static_cast<float>(2.0 * random.next_uniform() - 1.0);
  std::vector<float> wanted(kSamples);
  for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = amplifier(sound.data() + i);

  // Each row begins one sample after the one before: a view, not a copy.
  RowsView rows = view(sound.data(), kSamples, kHistory);
  rows.row_stride = sizeof(float);
  Trainer<float> trainer(network, Loss::defaults(Loss::Kind::mse), Adam{});
  FitOptions options;
  options.epochs = 1'000'000;
  options.num_threads = 1;
  options.on_epoch = [&](const EpochReport&) {
    predictor.update(network);
    return stop.load();
  };
  options.poll = [&](std::int64_t, double) { return stop.load(); };
  trainer.fit(rows, targets(view(wanted, 1)), options);
}

/// A second of sound or more in blocks at their times; gives the error of the last blocks.
double play(const chainrule::Predictor<float>& predictor, double seconds) {
  chainrule::Predictor<float>::Scratch scratch(predictor, kBlock);
  std::vector<float> in(kHistory - 1 + kBlock, 0.0f), out(kBlock);
  const auto blocks = static_cast<std::int64_t>(seconds * kRate / kBlock);
  const auto period = std::chrono::nanoseconds(1'000'000'000 * kBlock / kRate);
  std::int64_t late = 0;
  double longest = 0.0;
  double error = 0.0;
  Clock::time_point due = Clock::now();
  for (std::int64_t block = 0; block < blocks; ++block) {
    std::this_thread::sleep_until(due);  // the sound card has filled a block
    due += period;
    for (std::int64_t i = 0; i < kHistory - 1; ++i)
      in[static_cast<std::size_t>(i)] = in[static_cast<std::size_t>(i + kBlock)];
    for (std::int64_t i = 0; i < kBlock; ++i) {
      const auto t = static_cast<double>(block * kBlock + i) / kRate;
      in[static_cast<std::size_t>(kHistory - 1 + i)] =
          static_cast<float>(0.5 * std::sin(1382.3 * t) + 0.3 * std::sin(4146.9 * t));
    }
    const Clock::time_point start = Clock::now();
    predictor.predict(in.data(), 1, out.data(), 1, kBlock, scratch);
    const Clock::time_point end = Clock::now();
    longest = std::max(longest, std::chrono::duration<double, std::micro>(end - start).count());
    late += end > due;

    double sum = 0.0;
    for (std::int64_t i = 0; i < kBlock; ++i) {
      const double d = out[static_cast<std::size_t>(i)] - amplifier(in.data() + i);
      sum += d * d;
    }
    error += (std::sqrt(sum / kBlock) - error) / 64;
    if ((block + 1) % (kRate / kBlock / 4) == 0)
      std::printf("%5.2f s: error %.4f\n", static_cast<double>(block * kBlock) / kRate, error);
  }
  std::printf("%lld blocks, %lld late; the longest took %.1f of %.0f microseconds\n",
              static_cast<long long>(blocks), static_cast<long long>(late), longest,
              std::chrono::duration<double, std::micro>(period).count());
  return error;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    using namespace chainrule;
    const double seconds = argc > 1 ? std::atof(argv[1]) : 3.0;
    Network<float> network({Dense(16, "tanh"), Dense(16, "tanh"), Dense(1)}, kHistory);
    Predictor<float> predictor(network);
    std::atomic<bool> stop{false};
    std::thread trainer([&] { train(network, predictor, stop); });
    const double error = play(predictor, seconds);
    stop = true;
    trainer.join();
    std::printf("error at the end: %.4f\n", error);
    return error < 0.1 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "block_processor: %s\n", error.what());
    return 1;
  }
}

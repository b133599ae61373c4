// SPDX-License-Identifier: Apache-2.0
// Trains a classifier on files of raw numbers and prints seconds, CPU seconds and the last loss;
// training.py runs it beside Python's fit.
// usage: training_benchmark PIXELS LABELS INPUTS LAYERS OPTIMIZER RATE BATCH EPOCHS THREADS
#include <chainrule/layers.hpp>
#include <chainrule/trainer.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace {

using namespace chainrule;

/// A file's numbers, on large pages where the system has them: NumPy asks for them too, and a batch
/// gathered from small ones costs a tenth of a step.
template <class Value>
std::span<const Value> contents(const char* path) {
  const std::size_t size = std::filesystem::file_size(path);
  constexpr std::size_t page = std::size_t{2} << 20;
  const std::size_t room = (size / page + 1) * page;
  void* memory = std::aligned_alloc(page, room);  // until the program ends
#ifdef MADV_HUGEPAGE
  madvise(memory, room, MADV_HUGEPAGE);
#endif
  std::ifstream(path, std::ios::binary)
      .read(static_cast<char*>(memory), static_cast<std::streamsize>(size));
  return {static_cast<const Value*>(memory), size / sizeof(Value)};
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 10) return 2;
  const std::span<const std::uint8_t> pixels = contents<std::uint8_t>(argv[1]);
  const std::span<const std::int64_t> classes = contents<std::int64_t>(argv[2]);
  const std::int64_t inputs = std::stoll(argv[3]);

  std::vector<AnyLayer> layers{Rescaling(1.0 / 255.0)};
  std::istringstream sizes(argv[4]);
  for (std::string units; std::getline(sizes, units, ',');)
    layers.emplace_back(Dense(std::stoll(units), sizes.eof() ? "linear" : "relu"));
  Network<float> network(layers, inputs);

  Optimizer optimizer = Optimizer::defaults(std::string(argv[5]) == "adam" ? Optimizer::Kind::adam
                                                                           : Optimizer::Kind::sgd);
  optimizer.set_learning_rate(std::stod(argv[6]));
  Trainer<float> trainer(network, Loss::defaults(Loss::Kind::cross_entropy), optimizer);
  FitOptions options;
  options.batch_size = std::stoll(argv[7]);
  options.num_threads = std::stoi(argv[9]);
  trainer.fit(view(pixels, inputs), labels(classes), options);

  options.epochs = std::stoll(argv[8]);
  const auto start = std::chrono::steady_clock::now();
  const double cpu_start = cpu_seconds();
  const double loss = trainer.fit(view(pixels, inputs), labels(classes), options).back().loss;
  const double cpu = cpu_seconds() - cpu_start;
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  std::printf("%.9f %.9f %a\n", wall.count(), cpu, loss);
  return 0;
}

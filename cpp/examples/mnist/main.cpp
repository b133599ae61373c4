// SPDX-License-Identifier: Apache-2.0
// Trains a classifier of 28 x 28 images and measures it on images it has not seen.
// usage: mnist [folder with the four unpacked files of MNIST]     without one, on made-up images
#include <algorithm>
#include <chainrule/layers.hpp>
#include <chainrule/random.hpp>
#include <chainrule/trainer.hpp>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t kPixels = 28 * 28;
constexpr std::int64_t kClasses = 10;

struct Images {
  std::vector<std::uint8_t> pixels;  // rows of kPixels
  std::vector<std::int64_t> labels;
};

/// The bytes behind the header of an IDX file with `dimensions` dimensions.
std::vector<std::uint8_t> read_idx(const std::string& path, std::size_t dimensions) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::uint8_t> bytes((std::istreambuf_iterator<char>(file)),
                                  std::istreambuf_iterator<char>());
  const std::size_t header = 4 + 4 * dimensions;
  if (bytes.size() < header || bytes[2] != 8 || bytes[3] != dimensions)
    throw std::runtime_error(path + " is no IDX file of bytes in " + std::to_string(dimensions) +
                             " dimensions");
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header));
  return bytes;
}

Images read_mnist(const std::string& folder, const std::string& part) {
  Images images;
  images.pixels = read_idx(folder + "/" + part + "-images-idx3-ubyte", 3);
  const std::vector<std::uint8_t> labels = read_idx(folder + "/" + part + "-labels-idx1-ubyte", 1);
  images.labels.assign(labels.begin(), labels.end());
  return images;
}

/// A few strokes for each class, drawn somewhere near the middle, with noise.
Images make_images(std::int64_t count, std::uint64_t seed) {
  Images images;
  images.pixels.assign(static_cast<std::size_t>(count * kPixels), 0);
  chainrule::RandomStream random(seed, chainrule::RandomUse::shuffle, 0);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t label = i % kClasses;
    std::uint8_t* image = images.pixels.data() + i * kPixels;
    const auto shift_x = static_cast<std::int64_t>(random.next_below(5));
    const auto shift_y = static_cast<std::int64_t>(random.next_below(5));
    chainrule::RandomStream shape(static_cast<std::uint64_t>(label), chainrule::RandomUse::shuffle,
                                  1);
    for (int stroke = 0; stroke < 4; ++stroke) {
      auto x = static_cast<std::int64_t>(4 + shape.next_below(14));
      auto y = static_cast<std::int64_t>(4 + shape.next_below(14));
      const bool down = shape.next_below(2) == 1;
      for (int step = 0; step < 8; ++step) {
        const std::int64_t at = (y + shift_y) * 28 + x + shift_x;
        image[at] = image[at + 1] = static_cast<std::uint8_t>(128 + random.next_below(128));
        (down ? y : x) = std::min<std::int64_t>((down ? y : x) + 1, 20);
      }
    }
    for (int speck = 0; speck < 20; ++speck)
      image[random.next_below(kPixels)] = static_cast<std::uint8_t>(random.next_below(256));
    images.labels.push_back(label);
  }
  return images;
}

double accuracy(chainrule::Network<float>& network, const Images& images) {
  const std::vector<float> outputs = network.predict(chainrule::view(images.pixels, kPixels));
  std::int64_t right = 0;
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    const float* row = outputs.data() + i * kClasses;
    right += std::max_element(row, row + kClasses) - row == images.labels[i];
  }
  return static_cast<double>(right) / static_cast<double>(images.labels.size());
}

void run(const char* folder) {
  using namespace chainrule;
  const Images training = folder ? read_mnist(folder, "train") : make_images(6000, 1);
  const Images test = folder ? read_mnist(folder, "t10k") : make_images(1000, 2);

  Network<float> network({Rescaling(1 / 255.0), Dense(128, "relu"), Dense(kClasses)}, kPixels);
  Trainer<float> trainer(network, Loss::defaults(Loss::Kind::cross_entropy), Adam{});

  FitOptions options;
  options.epochs = 5;
  options.batch_size = 64;
  options.validation_x = view(test.pixels, kPixels);
  options.validation_y = labels(test.labels);
  options.on_epoch = [&](const EpochReport& report) {
    std::printf("epoch %lld: loss %.4f, on the test images %.4f\n",
                static_cast<long long>(report.epoch), report.loss, report.validation_loss);
    return false;
  };
  trainer.fit(view(training.pixels, kPixels), labels(training.labels), options);

  const double right = accuracy(network, test);
  std::printf("%.2f %% of the test images are recognised\n", 100 * right);
  if (right < 0.95) throw std::runtime_error("fewer than 95 % are recognised");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? argv[1] : nullptr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mnist: %s\n", error.what());
    return 1;
  }
}

// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "c_handles.hpp"
#include "chainrule/augmentation.hpp"
#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/graph_config.hpp"
#include "chainrule/random.hpp"
#include "chainrule/shape_layers.hpp"
#include "chainrule/trainer.hpp"
#include "matrices.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

const Shape kShape{7, 5, 2};
constexpr std::int64_t kRows = 23;

Augmentation described(const char* kind, std::vector<ConfigEntry> options = {}) {
  return Augmentation::from_config({kind, std::move(options)});
}

const Augmentations& changes() {
  static const Augmentations all{
      described("random_shift", {{"x", 1.5}, {"y", 0.5}, {"subpixel", true}}),
      described("random_flip", {{"vertical", true}}),
      described("random_rotation", {{"degrees", std::vector<double>{25.0}}}),
      described("random_zoom", {{"low", 0.8}, {"high", 1.25}}),
      described("elastic_deformation", {{"sigma", 1.5}, {"alpha", 6.0}}),
      described("random_brightness", {{"factor", 0.25}}),
      described("cut_out", {{"size", std::int64_t{2}}}),
      described("pixel_noise", {{"stddev", 0.125}})};
  return all;
}

std::vector<float> images() {
  Draws draws(5);
  std::vector<float> values(static_cast<std::size_t>(kRows * kShape.size()));
  for (float& value : values) value = static_cast<float>(draws.uniform(0, 1));
  return values;
}

/// Smooth displacements as plain loops, each sum in the order of the pixels.
template <class T>
Matrix<T> plain_displacement(const kernels::DisplacementArgs<T>& f, int bit) {
  Matrix<T> noise(f.height, f.width), down(f.height, f.width), all(f.height, f.width);
  for (std::int64_t i = 0; i < f.height; ++i)
    for (std::int64_t j = 0; j < f.width; ++j) {
      const std::int64_t at = i * f.width + j;
      const auto block = random_block(f.seed, RandomUse::augmentation, f.stream,
                                      f.first_block + static_cast<std::uint64_t>(at / 4));
      const std::uint32_t half = block[static_cast<std::size_t>(at % 4)] >> bit & 0xffffu;
      noise(i, j) = static_cast<T>((static_cast<double>(half) + 0.5) / 32768.0 - 1.0);
    }
  const auto sum = [&](const auto& value) {
    T total = 0;
    for (std::int64_t k = -f.radius; k <= f.radius; ++k)
      total = std::fma(f.weights[f.radius + k], value(k), total);
    return total;
  };
  for (std::int64_t i = 0; i < f.height; ++i)
    for (std::int64_t j = 0; j < f.width; ++j)
      down(i, j) = sum(
          [&](std::int64_t k) { return i + k < 0 || i + k >= f.height ? T(0) : noise(i + k, j); });
  for (std::int64_t i = 0; i < f.height; ++i)
    for (std::int64_t j = 0; j < f.width; ++j)
      all(i, j) = std::fma(f.factor, sum([&](std::int64_t k) {
                             return j + k < 0 || j + k >= f.width ? T(0) : down(i, j + k);
                           }),
                           T(0.5));
  return all;
}

template <class T>
void check_displacement(const std::string& isa, std::int64_t height, std::int64_t width,
                        std::int64_t radius) {
  const std::int64_t stride = padded_columns<T>(width);
  const std::int64_t smoothed_stride = padded_columns<T>(stride + 2 * radius);
  std::vector<T> weights(static_cast<std::size_t>(2 * radius + 1));
  Draws draws(static_cast<std::uint64_t>(radius));
  for (T& weight : weights) weight = static_cast<T>(draws.uniform(0, 1));
  std::vector<std::uint32_t> words(static_cast<std::size_t>(height * width + kernels::kMostWords));
  Matrix<T> noise(height, width), columns(height, width), rows(height, width);
  std::vector<T> smoothed(static_cast<std::size_t>(height * smoothed_stride));
  for (std::int64_t i = 0; i < height; ++i)
    for (std::int64_t j = 0; j < width; ++j) columns(i, j) = rows(i, j) = T(0.5);
  const kernels::DisplacementArgs<T> f{0x123456789abcdef0,
                                       static_cast<std::uint32_t>(RandomUse::augmentation),
                                       std::uint64_t{3} << 40 | 17,
                                       std::uint64_t{2} << 32,
                                       height,
                                       width,
                                       weights.data(),
                                       radius,
                                       T(2.5),
                                       words.data(),
                                       noise.data(),
                                       smoothed.data(),
                                       smoothed_stride,
                                       columns.data(),
                                       rows.data(),
                                       stride};
  kernels_of<T>(isa).displacement(f);
  const Matrix<T> of_columns = plain_displacement(f, 16), of_rows = plain_displacement(f, 0);
  for (std::int64_t i = 0; i < height; ++i)
    for (std::int64_t j = 0; j < width; ++j) {
      CHECK(columns(i, j) == of_columns(i, j));
      CHECK(rows(i, j) == of_rows(i, j));
    }
}

}  // namespace

TEST_CASE("smooth displacements are those of plain loops") {
  for (const std::string& isa : kernels::available()) {
    CAPTURE(isa);
    for (const std::int64_t width : {1, 2, 7, 8, 16, 17, 28}) {
      CAPTURE(width);
      check_displacement<float>(isa, 5, width, 3);
      check_displacement<double>(isa, 5, width, 3);
      check_displacement<float>(isa, 3, width, 0);
      check_displacement<double>(isa, 1, width, 12);
    }
  }
}

TEST_CASE("augmented images are the same bits for any number of threads") {
  const std::vector<float> x = images();
  std::vector<float> one(x.size()), other(x.size());
  augment_images(changes(), view(x, kShape.size()), kShape, 7, 2, one.data(), 0, 1);
  for (const int threads : {2, 3, 7}) {
    augment_images(changes(), view(x, kShape.size()), kShape, 7, 2, other.data(), 0, threads);
    CHECK(other == one);
  }
  CHECK(one != x);
  // Of some rows by themselves too.
  augment_images(changes(), view(x.data() + 4 * kShape.size(), 2, kShape.size()), kShape, 7, 2,
                 other.data(), 4);
  CHECK(std::equal(other.begin(), other.begin() + 2 * kShape.size(),
                   one.begin() + 4 * kShape.size()));
}

TEST_CASE("fit sees in each epoch what augment_images gives") {
  const std::vector<float> x = images();
  std::vector<std::int64_t> y(kRows);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<std::int64_t>(i % 3);
  const auto network = [] {
    return Network<float>(Graph::chain({Reshape({-1}), Rescaling(2.0, -0.5), Dense(3)}, kShape), 9);
  };
  Network<float> augmented = network(), plain = network();
  const Loss loss = Loss::defaults(Loss::Kind::cross_entropy);
  Trainer<float> first(augmented, loss, Adam{}), second(plain, loss, Adam{});
  FitOptions options;
  options.batch_size = 5;
  options.epochs = 2;
  options.augment = changes();
  const auto reports = first.fit(view(x, kShape.size()), labels(y), options);
  options.epochs = 1;
  options.augment.clear();
  std::vector<float> seen(x.size());
  for (std::size_t epoch = 0; epoch < 2; ++epoch) {
    augment_images(changes(), view(x, kShape.size()), kShape, 9, static_cast<std::int64_t>(epoch),
                   seen.data());
    CHECK(second.fit(view(seen, kShape.size()), labels(y), options)[0].loss == reports[epoch].loss);
  }
  CHECK(Snapshot<float>(augmented) == Snapshot<float>(plain));
}

TEST_CASE("configs of augmentations give them back, and bad ones are refused") {
  for (const Augmentation& a : changes()) CHECK(Augmentation::from_config(a.config()) == a);
  CHECK(Augmentation::kinds().size() == changes().size());
  CHECK_THROWS_WITH_AS(described("random_shift"), doctest::Contains("x is missing"), Error);
  CHECK_THROWS_WITH_AS(described("random_rotation"), doctest::Contains("degrees must be"), Error);
  CHECK_THROWS_WITH_AS(described("cut_out", {{"size", std::int64_t{0}}}),
                       "cut_out: size must be >= 1, got 0", Error);
  const std::vector<float> x = images();
  std::vector<float> y(x.size());
  CHECK_THROWS_WITH_AS(
      augment_images(changes(), view(x, kShape.size()), Shape{70}, 0, 0, y.data()),
      "images have a shape (height, width) or (height, width, channels), got (70,)", Error);
  CHECK_THROWS_WITH_AS(augment_images(changes(), view(x, 5), kShape, 0, 0, y.data()),
                       "images of shape (7, 5, 2) have 70 numbers, got rows of 5", Error);
  CHECK_THROWS_WITH_AS(augment_images(changes(), view(x, kShape.size()), kShape, 0, -1, y.data()),
                       "epoch must be >= 0, got -1", Error);
}

TEST_CASE("C: images are augmented as in C++, and bad lists are refused") {
  const std::vector<float> x = images();
  std::vector<std::int64_t> y(kRows);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<std::int64_t>(i % 3);
  const char* const graph = R"({"nodes": [
      {"name": "x", "shape": [7, 5, 2]},
      {"name": "flat", "layer": {"kind": "reshape", "target_shape": [-1]}, "inputs": ["x"]},
      {"name": "y", "layer": {"kind": "dense", "units": 3}, "inputs": ["flat"]}],
      "outputs": ["y"]})";
  chainrule_network_options of_network{};
  of_network.struct_size = sizeof of_network;
  of_network.seed = 9;
  chainrule_network* made = nullptr;
  REQUIRE(refusal(chainrule_network_create(graph, kShape.size(), &of_network, &made)) == "none");
  const CNetwork network(made);
  const CTrainer trainer = c_trainer(network, "adam", "cross_entropy");
  const chainrule_rows rows = c_rows(x, kShape.size());
  const chainrule_targets targets = c_labels(y);
  const char* const list[] = {R"({"kind": "random_flip"})", R"({"kind": "cut_out", "size": 3})"};
  chainrule_fit_options o{};
  o.struct_size = sizeof o;
  o.augment = list;
  const auto fit = [&] {
    return refusal(chainrule_trainer_fit(trainer.get(), &rows, &targets, &o, nullptr));
  };
  CHECK(fit() == "ARGUMENT: options.augment is a list and augment_count 0");
  o.augment_count = 2;
  CHECK(fit() == "none");

  Network<float> same(Graph::from_config(graph_config_from_json(graph)), 9);
  Trainer<float> other(same, Loss::defaults(Loss::Kind::cross_entropy), Adam{});
  FitOptions options;
  options.augment = {described("random_flip"), described("cut_out", {{"size", std::int64_t{3}}})};
  other.fit(view(x, kShape.size()), labels(y), options);
  std::vector<float> weights(210);
  same.get_parameter("y.weight", weights.data());
  CHECK(c_parameter(network, "y.weight", 210) == weights);

  Rig flat;
  CHECK(flat.fit(&o) ==
        "ARGUMENT: augment needs an input of images, of shape (height, width) or (height, width, "
        "channels), got one of shape (4,)");
  const char* const missing[] = {nullptr, nullptr};
  o.augment = missing;
  CHECK(fit() == "ARGUMENT: options.augment[0] is NULL");
}

// SPDX-License-Identifier: Apache-2.0
// Files whose numbers no training leaves behind, in C++ and C.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "c_handles.hpp"
#include "chainrule/error.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/schedule.hpp"
#include "golden.hpp"
#include "model_file/byte_source.hpp"
#include "model_file/checksum.hpp"
#include "model_file/safetensors.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

using Change = std::pair<std::string, std::string>;

/// The file with a part of its description replaced, and with values of its tensors.
std::string altered(const std::string& content, const Change& change,
                    const std::string& tensor = "", float value = 0.0F) {
  const auto source = model_file::source_of(content);
  model_file::SafetensorsHeader header(*source);
  header.read_tensors();
  std::vector<model_file::Tensor> tensors = header.tensors();
  std::sort(tensors.begin(), tensors.end(),
            [](const auto& a, const auto& b) { return a.offset < b.offset; });
  std::string body = content.substr(tensors.front().offset);
  if (!tensor.empty())
    body.replace(header.find(tensor)->offset - tensors.front().offset, sizeof value,
                 reinterpret_cast<const char*>(&value), sizeof value);
  std::string description = header.metadata("chainrule");
  const std::size_t at = description.find(change.first);
  REQUIRE(at != std::string::npos);
  description.replace(at, change.first.size(), change.second);
  std::vector<std::pair<std::string, std::string>> metadata{{"chainrule", description},
                                                            {"crc32", "00000000"}};
  const std::string whole = model_file::safetensors_header(metadata, tensors) + body;
  auto sorted = tensors;
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  metadata[1].second = model_file::checksum(description, sorted, *model_file::source_of(whole));
  return model_file::safetensors_header(metadata, tensors) + body;
}

std::string refusal(const std::string& content) {
  try {
    read_model(content);
  } catch (const ModelFileError& error) {
    return error.what();
  }
  return "none";
}

chainrule_status c_status(const std::string& content) {
  chainrule_network* network = nullptr;
  const chainrule_status status = chainrule_network_read(content.data(), content.size(), &network);
  CHECK((network == nullptr) == (status != CHAINRULE_OK));
  chainrule_network_destroy(network);
  return status;
}

void check_refused(const std::string& content, const std::string& text) {
  CAPTURE(text);
  CHECK(refusal(content).find(text) != std::string::npos);
  CHECK(c_status(content) == CHAINRULE_ERROR_MODEL_FILE);
}

/// After six of ten steps with Adam, its rate a plateau's.
std::string content_with_plateau() {
  Network<float> network({dense(3, Activation::Kind::relu), BatchNormalization(), dense(2)}, 4, 3);
  TrainingState training;
  training.loss = mse();
  training.optimizer = optimizer(Optimizer::Kind::adam, 0.25);
  training.schedule = Schedule::defaults(Schedule::Kind::reduce_on_plateau);
  training.schedule->learning_rate = 0.25;
  training.schedule_origin = 2;
  training.plateau = Plateau(*training.schedule);
  training.plateau->best = 0.5;
  network.restore_training(*training.optimizer, 6, 10, 5);
  training.rest =
      R"({"metrics": ["f1", "accuracy"], "target_name": "age", "callbacks": {"Mine": {"a": [1]}}, )"
      R"("history": {"epochs": [1, 3], "history": {"loss": [0.5, null], "m": [[1, 2], []]}}})";
  return model_bytes(network, training);
}

}  // namespace

TEST_CASE("numbers that no training leaves behind are refused") {
  const std::string content = content_with_plateau();
  REQUIRE(refusal(altered(content, {"\"seed\"", "\"seed\""})) == "none");
  const std::string most = std::to_string(std::numeric_limits<int64_t>::max());
  const std::string digits(5000, '9');
  for (const auto& [change, text] : std::vector<std::pair<Change, std::string>>{
           {{"\"schedule_origin\": 2", "\"schedule_origin\": -1"}, "schedule_origin must lie in"},
           {{"\"schedule_origin\": 2", "\"schedule_origin\": 11"}, "schedule_origin must lie in"},
           {{"\"total_steps\": 10", "\"total_steps\": " + most}, "total_steps must lie in"},
           {{"\"total_steps\": 10", "\"total_steps\": 5"}, "steps must lie in 0..5"},
           {{"\"steps\": 6", "\"steps\": -1"}, "steps must lie in"},
           {{"\"epochs\": 5", "\"epochs\": -1"}, "epochs must lie in"},
           {{"\"epochs\": 5", "\"epochs\": " + digits}, "an integer of 64 bits"},
           {{"\"rate\": 0.25", "\"rate\": -1"}, "the rate of reduce_on_plateau"},
           {{"\"bad_epochs\": 0", "\"bad_epochs\": -1"}, "bad_epochs must lie in"},
           {{"\"cooldown_left\": 0", "\"cooldown_left\": " + most}, "cooldown_left must lie in"},
           {{"[1, 3]", "[3, 1]"}, "must increase"},
           {{"[1, 3]", "[0, 1]"}, "must increase"},
           {{"[1, 3]", "[1]"}, "history of \"loss\" has 2 values for 1 epochs"},
           {{"[0.5, null]", "[0.5, 1e999]"}, "range of double precision"},
           {{"[0.5, null]", "[0.5, " + digits + "]"}, "at most 4300 digits"},
           {{"[0.5, null]", "[0.5, \"\"]"}, "must be a number"},
           {{"[[1, 2], []]", "[[1, [2, {}]], []]"}, "must be a number"},
           {{"\"f1\"", "\"accuracy\""}, "different names"},
           {{"\"f1\"", "1"}, "a metric must be text"},
           {{"\"age\"", "{}"}, "target_name must be text"},
           {{"{\"a\": [1]}", "3"}, "must be an object"},
           {{"{\"a\": [1]}", "{\"a\": [" + digits + "]}"}, "at most 4300 digits"},
       })
    check_refused(altered(content, change), text);
}

TEST_CASE("values that no training leaves behind are refused") {
  const std::string content = content_with_plateau();
  const Change none{"\"seed\"", "\"seed\""};
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float value : {infinity, -infinity, nan})
    check_refused(altered(content, none, "0.weight", value),
                  "the values for 0.weight contain NaN or infinity");
  check_refused(altered(content, none, "1.running_variance", -1.0F),
                "running_variance are negative");
  check_refused(altered(content, none, "optimizer.exp_avg.0.weight", nan),
                "contain NaN or infinity");
  check_refused(altered(content, none, "optimizer.exp_avg_sq.0.weight", -1.0F),
                "the values for optimizer.exp_avg_sq.0.weight are negative");
  // A square may have overflowed, after which a step leaves the weight alone.
  CHECK(refusal(altered(content, none, "optimizer.exp_avg_sq.0.weight", infinity)) == "none");
  CHECK(c_status(altered(content, none, "optimizer.exp_avg_sq.0.weight", infinity)) ==
        CHAINRULE_OK);
}

TEST_CASE("what would not be read is not written, and the file before stays") {
  const TemporaryFile file;
  Network<float> network({BatchNormalization(), dense(2)}, 2, 3);
  TrainingState training;
  save_model(file.path, network, training);
  const std::string before = content_of(file.path);
  training.rest = R"({"history": {"epochs": [2, 1], "history": {}}})";
  CHECK_THROWS_AS(save_model(file.path, network, training), Error);
  training = {};
  training.schedule_origin = -1;
  CHECK_THROWS_AS(save_model(file.path, network, training), Error);
  CHECK(content_of(file.path) == before);
  // Squares beyond float go into the running variance.
  const float big = std::numeric_limits<float>::max();
  const std::vector<float> x{big, big, -big, -big};
  network.forward(view(x, 2), true, 1, nullptr);
  CHECK_THROWS_WITH_AS(save_model(file.path, network, TrainingState()),
                       doctest::Contains("contain NaN or infinity"), Error);
  CHECK(content_of(file.path) == before);
}

TEST_CASE("a cosine with cycles without end ends") {
  Schedule schedule = Schedule::defaults(Schedule::Kind::cosine);
  schedule.learning_rate = 0.5;
  schedule.epochs = 1;
  for (const double factor : {1.0, 1.0 + 1e-15, 1.0 + 1e-9, 1.001, 2.0}) {
    schedule.restart_factor = factor;
    CAPTURE(factor);
    for (const int64_t step : {int64_t{0}, int64_t{1} << 40, int64_t{1} << 53}) {
      const double rate = schedule.rate(step, 3);
      CHECK(rate >= 0.0);
      CHECK(rate <= 0.5);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chainrule/any_model.hpp"
#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/trainer.hpp"
#include "golden.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

/// One epoch as Sequential.fit runs it, in batches of 8.
void go_on(Model<float>& model) {
  const GoldenData data;
  TargetsView y;
  y.labels = data.labels.data();
  y.rows = data.rows;
  EpochOptions o = options(8);
  const TrainingState& training = model.training;
  std::vector<double> rates;
  for (int64_t batch = 0; batch < 4; ++batch)
    rates.push_back(
        training.schedule->rate(model.network.total_steps() - training.schedule_origin + batch, 4));
  o.learning_rates = rates.data();
  model.network.run_epoch(view(data.x.data(), data.rows, data.inputs), y, *training.loss,
                          *training.optimizer, o);
}

template <class T>
Network<T> small(uint64_t seed = 3) {
  return {{dense(3, Activation::Kind::relu), dense(2)}, 4, seed};
}

template <class Work>
std::string refusal(const Work& work) {
  try {
    work();
  } catch (const ModelFileError& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("a golden file of format 1 predicts the same bits") {
  Model<float> model = load_model(std::string(CHAINRULE_GOLDEN) + "/format_1.safetensors");
  const std::vector<float> x = numpy_values<float>("format_1_x.npy");
  const std::vector<float> expected = numpy_values<float>("format_1_predictions.npy");
  const auto rows = static_cast<int64_t>(x.size()) / model.network.inputs();
  REQUIRE(rows * model.network.outputs() == static_cast<int64_t>(expected.size()));
  REQUIRE(rows > 1);
  std::vector<float> outputs(expected.size());
  model.network.predict(view(x.data(), rows, model.network.inputs()), 4, 1, outputs.data());
  CHECK(same_bits(outputs, expected));
  CHECK(model.network.seed() == 7);
  CHECK(model.network.adapted());
  CHECK(*model.training.loss == cross_entropy());
  CHECK(*model.training.optimizer == optimizer(Optimizer::Kind::adam, 0.01));
  CHECK_FALSE(model.training.schedule);
}

TEST_CASE("every golden file is written as it was") {
  for (const std::string name :
       {"format_1.safetensors", "format_1_paused.safetensors", "format_1_resumed.safetensors",
        "format_1_cpp.safetensors", "format_2_lazy.safetensors"}) {
    CAPTURE(name);
    const std::string content = golden(name);
    const Model<float> model = read_model(content);
    CHECK(without_version(model_bytes(model.network, model.training)) == without_version(content));
  }
}

// paused and resumed are by chainrule for Python: two epochs of four, and all of them. See
// test_model_file.py.
TEST_CASE("a training that Python began goes on to the same bits") {
  Model<float> model = read_model(golden("format_1_paused.safetensors"));
  const Model<float> expected = read_model(golden("format_1_resumed.safetensors"));
  REQUIRE(model.network.epochs() == 2);
  go_on(model);
  // What Python goes on from in its turn.
  CHECK(without_version(model_bytes(model.network, model.training)) ==
        without_version(golden("format_1_cpp.safetensors")));
  CHECK_FALSE(Snapshot<float>(model.network) == Snapshot<float>(expected.network));
  go_on(model);
  CHECK(Snapshot<float>(model.network) == Snapshot<float>(expected.network));
}

TEST_CASE("a trainer goes on from a file, and its training is saved, to the same bits") {
  Model<float> model = read_model(golden("format_1_paused.safetensors"));
  Trainer<float> trainer = resume_training(model.network, model.training);
  const GoldenData data;
  FitOptions o;
  o.batch_size = 8;
  trainer.fit(view(data.x, GoldenData::inputs), labels(data.labels), o);
  CHECK(without_version(model_bytes(model.network, training_state(trainer, model.training))) ==
        without_version(golden("format_1_cpp.safetensors")));
}

TEST_CASE("a trainer goes on with the memory of a plateau, and only with what it can watch") {
  Network<float> network = small<float>();
  TrainingState training;
  CHECK_THROWS_WITH_AS(resume_training(network, training), doctest::Contains("no loss"), Error);
  training.loss = mse();
  CHECK_THROWS_WITH_AS(resume_training(network, training), doctest::Contains("no optimizer"),
                       Error);
  training.optimizer = optimizer(Optimizer::Kind::sgd, 0.5);
  training.schedule = Schedule::defaults(Schedule::Kind::reduce_on_plateau);
  training.plateau = Plateau(*training.schedule);
  training.plateau->rate = 0.125;
  training.plateau->bad_epochs = 2;
  Trainer<float> trainer = resume_training(network, training);
  const std::vector<double> x(8), y(4);
  const auto reports = trainer.fit(view(x, 4), targets(view(y, 2)));
  CHECK(reports.at(0).learning_rate == 0.125);
  const TrainingState after = training_state(trainer, training);
  REQUIRE(after.plateau);
  CHECK(after.plateau->best == reports[0].loss);
  CHECK(after.plateau->bad_epochs == 0);
  training.mode = "max";
  CHECK_THROWS_WITH_AS(resume_training(network, training), doctest::Contains("max of val_loss"),
                       Error);
  Trainer<float> plain(network, mse(), *training.optimizer);
  CHECK_THROWS_AS(plain.set_plateau(*training.plateau), Error);
}

TEST_CASE_TEMPLATE("a network comes back with its optimizer's memory", T, float, double) {
  const DataSet data(40, 37, 5);
  std::vector<Optimizer> rules = optimizers();
  rules.push_back(optimizer(Optimizer::Kind::sgd, 0.1));
  for (const Optimizer& rule : rules) {
    CAPTURE(rule.config().kind);
    Network<T> network({Normalization(), dense(7, Activation::Kind::gelu), BatchNormalization(),
                        Dropout(0.25), dense(5)},
                       37, std::numeric_limits<uint64_t>::max());
    after_epochs(network, data, cross_entropy(), rule, 1, options(8));
    TrainingState training;
    training.loss = cross_entropy();
    training.optimizer = rule;
    Model<T> model = read_model<T>(model_bytes(network, training));
    CHECK(model.network.seed() == network.seed());
    CHECK(Snapshot<T>(model.network) == Snapshot<T>(network));
    CHECK(after_epochs(model.network, data, cross_entropy(), rule, 1, options(8)) ==
          after_epochs(network, data, cross_entropy(), rule, 1, options(8)));
  }
}

TEST_CASE("memory that the optimizer would not go on from is left out") {
  const DataSet data(40, 4, 2);
  Network<float> network = small<float>();
  after_epochs(network, data, cross_entropy(), optimizers()[1], 1, options(8));
  TrainingState training;
  const std::size_t without = model_bytes(network, training).size();
  training.optimizer = optimizer(Optimizer::Kind::lion, 0.1);
  Model<float> model = read_model(model_bytes(network, training));
  CHECK(model.network.optimizer_kind().empty());
  CHECK(model.network.total_steps() == 5);
  training.optimizer = optimizers()[1];
  CHECK(model_bytes(network, training).size() > without + 2 * 4 * (4 * 3 + 3 + 3 * 2 + 2));
}

TEST_CASE("the state of the training comes back") {
  TrainingState training;
  training.loss = Loss::defaults(Loss::Kind::quantile);
  training.loss->options = Loss::Quantile{{0.1, 0.9}};
  training.optimizer = optimizer(Optimizer::Kind::sgd, 0.25);
  training.schedule = Schedule::defaults(Schedule::Kind::reduce_on_plateau);
  training.schedule->learning_rate = 0.25;
  training.plateau = Plateau(*training.schedule);
  training.plateau->best = 0.125;
  training.plateau->rate = 0.0625;
  training.plateau->bad_epochs = 3;
  training.plateau->cooldown_left = 2;
  training.monitor = "val_f1 \xc3\xa9";
  training.mode = "max";
  training.schedule_origin = 17;
  training.rest =
      R"({"metrics": ["f1"], "history": {"epochs": [1, 3], "history": {"loss": [1e-3, null]}}, )"
      R"("mine": {"a": 1}})";
  Network<float> network = small<float>();
  network.restore_training(*training.optimizer, 0, 20, 3);
  const TrainingState read = read_model(model_bytes(network, training)).training;
  CHECK(read.loss == training.loss);
  CHECK(read.optimizer == training.optimizer);
  CHECK(read.schedule == training.schedule);
  REQUIRE(read.plateau);
  CHECK(read.plateau->best == 0.125);
  CHECK(read.plateau->rate == 0.0625);
  CHECK(read.plateau->bad_epochs == 3);
  CHECK(read.plateau->cooldown_left == 2);
  CHECK(read.monitor == training.monitor);
  CHECK(read.mode == "max");
  CHECK(read.schedule_origin == 17);
  CHECK(read.rest == training.rest);

  training.plateau.reset();
  CHECK(read_model(model_bytes(network, training)).training.plateau->best ==
        -std::numeric_limits<double>::infinity());
}

TEST_CASE("what could not be read back is not written") {
  const Network<float> network = small<float>();
  const auto refused = [&](const TrainingState& training) {
    CHECK_THROWS_AS(model_bytes(network, training), Error);
  };
  TrainingState training;
  for (const char* rest : {"", "[]", "{", "{\"steps\": 1}"}) {
    training.rest = rest;
    refused(training);
  }
  training.rest = "{\"a\": " + std::string(63, '[') + std::string(63, ']') + "}";
  refused(training);
  training = {};
  training.optimizer = optimizer(Optimizer::Kind::adam, 0.1);
  training.schedule = Schedule::defaults(Schedule::Kind::reduce_on_plateau);
  CHECK_NOTHROW(model_bytes(network, training));
  training.monitor = std::string(300, 'm');
  refused(training);
  training.monitor = "loss";
  training.mode = "least";
  refused(training);
  training = {};
  training.optimizer = optimizer(Optimizer::Kind::sgd, -1.0);
  refused(training);
  training = {};
  training.loss = Loss::defaults(Loss::Kind::quantile);
  training.loss->options.get_if<Loss::Quantile>()->quantiles.clear();
  refused(training);
}

TEST_CASE("the tensors begin at a multiple of eight bytes, however long the header") {
  Network<float> network = small<float>();
  const std::string longest = "the name";
  for (std::size_t length = 1; length <= longest.size(); ++length) {
    network.set_class_names({"other", longest.substr(0, length)});
    const std::string content = model_bytes(network);
    std::uint64_t header = 0;
    std::memcpy(&header, content.data(), sizeof header);
    CHECK(header % 8 == 0);
    CHECK(read_model(content).network.class_names() == network.class_names());
  }
}

TEST_CASE("files are saved and loaded, and errors name them") {
  const TemporaryFile file;
  const Network<double> network = small<double>();
  save_model(file.path, network);
  CHECK(content_of(file.path) == model_bytes(network));
  CHECK(Snapshot<double>(load_model<double>(file.path).network) == Snapshot<double>(network));
  CHECK(std::holds_alternative<Model<double>>(load_any_model(file.path)));
  CHECK(refusal([&] { load_model(file.path); }) ==
        file.path + ": the network is float64, expected float32");
  std::filesystem::resize_file(file.path, 7);
  CHECK(refusal([&] { load_any_model(file.path); }) ==
        file.path + ": truncated: shorter than its length field");
  try {
    load_model("nowhere/model.safetensors");
    FAIL("there is no such file");
  } catch (const FileError& error) {
    CHECK(error.path == "nowhere/model.safetensors");
    CHECK(error.code == ENOENT);
    CHECK(std::string(error.what()) == "nowhere/model.safetensors: No such file or directory");
  }
  CHECK_THROWS_AS(load_model(CHAINRULE_GOLDEN), FileError);
  CHECK_THROWS_AS(save_model("nowhere/model.safetensors", network), FileError);
}

TEST_CASE("any cut and any flipped bit is noticed") {
  const std::string content = model_bytes(small<float>());
  const std::string description = read_model_description(content);
  for (std::size_t size = 0; size < content.size(); ++size)
    CHECK(refusal([&] { read_model(content.substr(0, size)); }).starts_with("truncated"));
  for (std::size_t place = 0; place < content.size(); ++place) {
    std::string changed = content;
    changed[place] = static_cast<char>(changed[place] ^ 4);
    CAPTURE(place);
    // Blanks between the parts of the header mean nothing, and few bits make one of another.
    if (refusal([&] { read_model(changed); }) == "none")
      CHECK(read_model_description(changed) == description);
  }
}

TEST_CASE("hostile headers are refused before anything is made of them") {
  const auto with_header = [](const std::string& header, uint64_t length) {
    std::string content(sizeof length, '\0');
    std::memcpy(content.data(), &length, sizeof length);
    return content + header;
  };
  const auto reading = [&](const std::string& header) {
    return refusal([&] { read_any_model(with_header(header, header.size())); });
  };
  CHECK(refusal([&] { read_any_model(with_header("{}", uint64_t{1} << 63)); }) ==
        "not a model file: it does not begin with a safetensors header");
  CHECK(refusal([&] { read_any_model(with_header("{", 100'000'000)); }) ==
        "truncated: the header has 100000000 bytes, 1 are left");
  CHECK(refusal([&] {
          read_any_model(with_header("{" + std::string(100'000'001, ' '), 100'000'001));
        }) == "not a model file: it does not begin with a safetensors header");
  CHECK(reading("{}") == "not a chainrule model file: it lacks '__metadata__'");
  CHECK(reading("{\"a\":" + std::string(1000, '[')) ==
        "not a chainrule model file: JSON is nested more than 64 levels deep");
  const std::string metadata =
      R"("__metadata__": {"chainrule": "{\"format_version\": 1}", "crc32": ""})";
  const auto with_tensors = [&](const std::string& tensors) {
    return reading("{" + metadata + ", " + tensors + "}");
  };
  CHECK(with_tensors(R"("a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]},
                        "a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]})") ==
        "tensor 'a' is given twice");
  CHECK(with_tensors(R"("a": {"dtype": "F64", "shape": [4611686018427387904, 4],
                              "data_offsets": [0, 0]})") ==
        "tensor 'a' of shape (4611686018427387904, 4) has 0 bytes");
  CHECK(with_tensors(R"("a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]})") ==
        "tensor 'a' of shape (2,) has 4 bytes");
  CHECK(with_tensors(R"("a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]})") ==
        "truncated: the tensors have 4 bytes, 0 are there");
  CHECK(with_tensors(R"("a": {"dtype": "F32", "shape": [0],
                              "data_offsets": [9223372036854775807, 9223372036854775807]})") ==
        "tensor 'a' begins at byte 9223372036854775807, expected 0");
  CHECK(with_tensors(R"("\u0061": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]})")
            .find("printable ASCII") != std::string::npos);
}

TEST_CASE("a network in use is not saved") {
  Network<float> network = small<float>();
  // Rows that take no memory, for as long as it takes until the core polls.
  const float zeros[4] = {};
  const RowsView x{zeros, DataType::float32, int64_t{1} << 40, 4, 0, 4};
  TargetsView y;
  y.values = {zeros, DataType::float32, x.rows, 2, 0, 4};
  y.rows = x.rows;
  EpochOptions o = options(16);
  o.shuffle = false;
  bool tried = false;
  o.poll = [&](int64_t, double) {
    CHECK_THROWS_AS(model_bytes(network), StateError);
    return tried = true;
  };
  network.run_epoch(x, y, mse(), optimizer(Optimizer::Kind::sgd, 0.01), o);
  CHECK(tried);
}

// SPDX-License-Identifier: Apache-2.0
// The same for model files and for every function of the C interface, where it is a status.
#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "c_handles.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/trainer.hpp"
#include "failed_allocations.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

/// Of this process alone: the tests may run several times at once.
struct ScratchFolder {
  ScratchFolder() { std::filesystem::create_directory(path); }
  ~ScratchFolder() { std::filesystem::remove_all(path); }
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() /
      ("chainrule_failed_allocations_" + std::to_string(std::random_device()()));
};

std::string scratch_file(const char* name) {
  static const ScratchFolder folder;
  return (folder.path / name).string();
}

/// The exception that the status stands for.
void check(chainrule_status status) {
  if (status == CHAINRULE_ERROR_MEMORY) throw std::bad_alloc();
  if (status == CHAINRULE_OK) return;
  FailingAllocations::stop();
  FAIL(chainrule_last_error());
}

std::string text_of(double number) {
  FailingAllocations::stop();
  return std::to_string(number);
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What a network's file would be.
std::string bytes_of(const chainrule_trainer* trainer) {
  static const std::string path = scratch_file("chainrule_failed_allocations.safetensors");
  check(chainrule_trainer_save(trainer, path.c_str()));
  std::string content = content_of(path);
  std::filesystem::remove(path);
  return content;
}

/// With two rows of normalised inputs to fit.
struct Subject : Rig {
  Subject() {
    network = [] {
      chainrule_network* made = nullptr;
      check(chainrule_network_create(
          R"([{"kind": "normalization"}, {"kind": "dense", "units": 3, "activation": "tanh"},
              {"kind": "dense", "units": 2}])",
          4, nullptr, &made));
      return CNetwork(made);
    }();
    trainer = c_trainer(network);
    predictor = c_predictor(network);
    scratch = c_scratch(predictor);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * i);
  }

  std::string predictions() {
    std::vector<float> out(4);
    check(
        chainrule_predictor_predict(predictor.get(), scratch.get(), x.data(), 32, out.data(), 16));
    return {reinterpret_cast<const char*>(out.data()), 16};
  }
};

using Work = std::function<std::string(Subject&)>;

void fail_in(const char* name, const Work& work, bool allocates_nothing = false) {
  CAPTURE(name);
  fail_every_allocation(
      [] { return std::make_unique<Subject>(); }, [&](auto& subject) { return work(*subject); },
      [](auto& subject) { return bytes_of(subject->trainer.get()) + subject->predictions(); },
      allocates_nothing);
}

template <class H>
struct Made {
  H* handle = nullptr;
  ~Made() { CDestroy()(handle); }
};

}  // namespace

TEST_CASE("every function of the C interface says that memory is short, and changes nothing") {
  fail_in("network_create", [](Subject&) {
    Made<chainrule_network> made;
    check(chainrule_network_create(R"([{"kind": "dense", "units": 3}])", 4, nullptr, &made.handle));
    return std::string();
  });
  fail_in("network_copy", [](Subject& s) {
    Made<chainrule_network> made;
    check(chainrule_network_copy(s.network.get(), &made.handle));
    return std::string();
  });
  fail_in(
      "network_get_info",
      [](Subject& s) {
        chainrule_network_info info{};
        info.struct_size = sizeof info;
        check(chainrule_network_get_info(s.network.get(), &info));
        return std::to_string(info.inputs);
      },
      true);
  fail_in("network_set_parameter", [](Subject& s) {
    const std::vector<float> values(2, 7.0f);
    check(chainrule_network_set_parameter(s.network.get(), "2.bias", values.data(), 8));
    return std::string();
  });
  fail_in("network_get_parameter", [](Subject& s) {
    std::vector<float> values(2);
    check(chainrule_network_get_parameter(s.network.get(), "2.bias", values.data(), 8));
    return text_of(values[0]);
  });
  fail_in("network_set_feature_names", [](Subject& s) {
    const char* names[] = {"length of the sepal", "its width", "c", "the fourth of them all"};
    check(chainrule_network_set_feature_names(s.network.get(), 0, names, 4));
    return std::string();
  });
  fail_in("network_set_class_names", [](Subject& s) {
    const char* names[] = {"neither the one", "nor the other of the two"};
    check(chainrule_network_set_class_names(s.network.get(), 0, names, 2));
    return std::string();
  });
  for (const auto get : {chainrule_network_get_feature_name, chainrule_network_get_class_name}) {
    fail_in(
        "network_get_feature_name",
        [get](Subject& s) {
          const char* name = "";
          check(get(s.network.get(), 0, 1, &name));
          return std::string(name == nullptr ? "none" : name);
        },
        true);
  }
  fail_in(
      "network_get_layers",
      [](Subject& s) {
        const char* layers = "";
        check(chainrule_network_get_layers(s.network.get(), &layers));
        FailingAllocations::stop();
        return std::string(layers);
      },
      true);
  fail_in(
      "network_get_parameter_info",
      [](Subject& s) {
        chainrule_parameter_info info{};
        info.struct_size = sizeof info;
        check(chainrule_network_get_parameter_info(s.network.get(), 0, &info));
        return std::to_string(info.columns);
      },
      true);
  fail_in("network_adapt", [](Subject& s) {
    check(chainrule_network_adapt(s.network.get(), &s.rows));
    return std::string();
  });
  const Subject other;
  fail_in(
      "network_interpolate",
      [&](Subject& s) {
        check(chainrule_network_interpolate(s.network.get(), other.network.get(), 0.25));
        return std::string();
      },
      true);
  fail_in("network_predict", [](Subject& s) {
    std::vector<float> out(4);
    check(chainrule_network_predict(s.network.get(), &s.rows, nullptr, out.data(), 16));
    return text_of(out[0] + out[3]);
  });
  fail_in("trainer_create", [](Subject& s) {
    chainrule_trainer_options options{};
    options.struct_size = sizeof options;
    options.loss = R"({"kind": "huber", "delta": 0.5})";
    options.optimizer = "adagrad";
    options.schedule = R"({"kind": "reduce_on_plateau", "learning_rate": 0.1})";
    Made<chainrule_trainer> made;
    check(chainrule_trainer_create(s.network.get(), &options, &made.handle));
    return std::string();
  });
  fail_in("trainer_fit", [](Subject& s) {
    chainrule_fit_options options{};
    options.struct_size = sizeof options;
    options.validation_x = &s.rows;
    options.validation_y = &s.targets;
    options.on_epoch = [](void*, const chainrule_epoch_report*) { return 0; };
    chainrule_epoch_report last{};
    last.struct_size = sizeof last;
    check(chainrule_trainer_fit(s.trainer.get(), &s.rows, &s.targets, &options, &last));
    return text_of(last.loss) + text_of(last.validation_loss);
  });
  fail_in("trainer_step", [](Subject& s) {
    double loss = 0.0;
    check(chainrule_trainer_step(s.trainer.get(), &s.rows, &s.targets, &loss));
    return text_of(loss);
  });
  fail_in("trainer_evaluate", [](Subject& s) {
    double loss = 0.0;
    check(chainrule_trainer_evaluate(s.trainer.get(), &s.rows, &s.targets, 1, &loss));
    return text_of(loss);
  });
  fail_in("predictor_create", [](Subject& s) {
    Made<chainrule_predictor> made;
    check(chainrule_predictor_create(s.network.get(), nullptr, &made.handle));
    return std::string();
  });
  fail_in("predictor_update", [](Subject& s) {
    check(chainrule_predictor_update(s.predictor.get(), s.network.get()));
    return std::string();
  });
  fail_in("scratch_create", [](Subject& s) {
    Made<chainrule_scratch> made;
    check(chainrule_scratch_create(s.predictor.get(), 5, &made.handle));
    return std::string();
  });
}

TEST_CASE("a handle can be destroyed and an error told without any memory") {
  Subject subject;
  const FailingAllocations failing(1, true);
  CHECK(chainrule_scratch_destroy(subject.scratch.release()) == CHAINRULE_OK);
  CHECK(chainrule_predictor_destroy(subject.predictor.release()) == CHAINRULE_OK);
  CHECK(chainrule_trainer_destroy(subject.trainer.release()) == CHAINRULE_OK);
  CHECK(chainrule_network_destroy(subject.network.release()) == CHAINRULE_OK);
  chainrule_network* made = nullptr;
  CHECK(chainrule_network_create("[]", 1, nullptr, &made) == CHAINRULE_ERROR_MEMORY);
  CHECK(std::string_view(chainrule_last_error()) == "not enough memory");
}

TEST_CASE("a model file is written or left as it was, and read or not") {
  const std::string path = scratch_file("chainrule_failed_save.safetensors");
  fail_in("network_load", [&](Subject& s) {
    const auto name = path + "1";
    if (!std::filesystem::exists(name))
      check(chainrule_trainer_save(s.trainer.get(), name.c_str()));
    Made<chainrule_network> made;
    check(chainrule_network_load(name.c_str(), &made.handle));
    return std::string();
  });
  const std::string whole = content_of(path + "1");
  REQUIRE(!whole.empty());
  fail_in("network_read", [&](Subject&) {
    Made<chainrule_network> made;
    check(chainrule_network_read(whole.data(), whole.size(), &made.handle));
    return std::string();
  });
  std::filesystem::remove(path + "1");
  fail_every_allocation(
      [&] {
        auto subject = std::make_unique<Subject>();
        check(chainrule_network_save(subject->network.get(), path.c_str()));
        check(chainrule_trainer_step(subject->trainer.get(), &subject->rows, &subject->targets,
                                     nullptr));
        return subject;
      },
      [&](auto& subject) {
        check(chainrule_trainer_save(subject->trainer.get(), path.c_str()));
        return std::string();
      },
      [&](const auto&) { return content_of(path); });
  // No other file is left.
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(path).parent_path()))
    CHECK(entry.path() == path);

  const std::string content = content_of(path);
  std::filesystem::remove(path);
  fail_every_allocation([] { return std::string(); },
                        [&](std::string& description) {
                          const Model<float> model = read_model<float>(content);
                          std::string read = read_model_description(content);
                          std::string bytes = model_bytes(model.network, model.training);
                          description = std::move(read);
                          return bytes;
                        },
                        [](const std::string& description) { return description; });
  fail_every_allocation(
      [&] { return std::make_unique<Model<float>>(read_model<float>(content)); },
      [](auto& model) {
        Trainer<float> trainer = resume_training(model->network, model->training);
        return text_of(trainer.optimizer().learning_rate());
      },
      [](const auto& model) { return model_bytes(model->network, model->training); });
}

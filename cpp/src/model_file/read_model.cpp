// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "chainrule/any_model.hpp"
#include "chainrule/error.hpp"
#include "model_file/byte_source.hpp"
#include "model_file/checksum.hpp"
#include "model_file/json.hpp"
#include "model_file/network_description.hpp"
#include "model_file/network_tensors.hpp"
#include "model_file/run_record.hpp"
#include "model_file/safetensors.hpp"
#include "model_file/small_tensors.hpp"
#include "model_file/training_description.hpp"

namespace chainrule {
namespace model_file {
namespace {

/// Runs `work`; what it finds amiss becomes a ModelFileError whose text begins with `prefix`.
template <class Work>
auto refused_as(const char* prefix, const Work& work) {
  try {
    return work();
  } catch (const ModelFileError&) {
    throw;
  } catch (const FileError&) {
    throw;
  } catch (const Error& error) {
    throw ModelFileError(std::string(prefix) + error.what());
  }
}

void check_version(const Json& description) {
  const std::optional<Json> given = description.find("format_version");
  std::int64_t version = 0;
  if (given && given->is_integer()) version = given->integer("the format version");
  if (version < 1)
    throw ModelFileError("the format version is " + (given ? given->excerpt() : "missing") +
                         ", expected 1 to " + std::to_string(model_format_version));
  if (version <= model_format_version) return;
  const std::optional<Json> given_writer = description.find("chainrule_version");
  std::string writer = given_writer ? given_writer->excerpt() : "unknown";
  std::erase(writer, '"');
  throw ModelFileError("written by a newer chainrule (" + writer + ") in format " +
                       std::to_string(version) + "; this one reads formats up to " +
                       std::to_string(model_format_version) + ": upgrade chainrule");
}

/// A file whose sizes, version and checksum are right.
struct CheckedFile {
  explicit CheckedFile(ByteSource& source) : header(source), text(header.metadata("chainrule")) {
    check_version(Json::parse(text));
    header.read_tensors();
    if (checksum(text, header.tensors(), source) != header.metadata("crc32"))
      throw ModelFileError("altered: the checksum does not match the content");
  }

  SafetensorsHeader header;
  std::string text;
};

std::unique_ptr<CheckedFile> check_file(ByteSource& source) {
  return refused_as("not a chainrule model file: ",
                    [&] { return std::make_unique<CheckedFile>(source); });
}

/// Throws unless the file holds as many numbers and arrays as the layers need, so that a lying file
/// cannot make us allocate them.
void check_size(const NetworkDescription& network, const std::vector<Tensor>& tensors) {
  const bool small = network.quantization.weights != WeightType::unchanged;
  std::uint64_t numbers = 0;
  for (const Tensor& tensor : tensors)
    numbers += tensor.size() /
               (small ? tensor.item_size() : std::max<std::uint64_t>(4, tensor.item_size()));
  std::size_t arrays = tensors.size();
  const Graph& graph = network.graph;
  for (const Node& node : graph.nodes()) {
    if (!node.layer || node.shares >= 0) continue;
    for (const ParameterSpec& spec : (*node.layer)->parameters(graph.input_shapes(node))) {
      const auto needed = static_cast<std::uint64_t>(spec.shape.size());
      if (arrays == 0 || needed > numbers)
        throw ModelFileError("the layers need more parameters than the file holds");
      numbers -= needed;
      --arrays;
    }
  }
}

/// The first names, in their order, of those that are missing or not expected.
class OddNames {
 public:
  void add(std::string_view name) {
    constexpr std::size_t most = 5;
    names_.insert(std::upper_bound(names_.begin(), names_.end(), name), std::string(name));
    if (names_.size() > most) names_.pop_back();
  }

  void check() const {
    if (names_.empty()) return;
    std::string list;
    for (const std::string& name : names_) list += (list.empty() ? "" : ", ") + name;
    throw ModelFileError("tensors missing or not expected: " + list);
  }

 private:
  std::vector<std::string> names_;
};

/// Throws unless the file holds exactly the network's tensors, of its precision and shapes.
void check_tensors(const std::vector<ParameterInfo>& infos, const std::vector<std::string>& slots,
                   TensorType type, const Graph& graph, WeightType weights,
                   SafetensorsHeader& header) {
  const auto for_each = [&](const auto& visit) {
    for_each_tensor(
        infos, slots,
        [&](const std::string& name, const ParameterInfo& info, const std::string* slot) {
          for_each_part(graph, name, info, slot, type, weights, visit);
        });
  };
  OddNames odd;
  for_each([&](const std::string& name, const Tensor&) {
    Tensor* tensor = header.find(name);
    tensor == nullptr ? odd.add(name) : void(tensor->expected = true);
  });
  for (const Tensor& tensor : header.tensors())
    if (!tensor.expected) odd.add(tensor.name);
  odd.check();
  for_each([&](const std::string& name, const Tensor& wanted) {
    const Tensor& tensor = *header.find(name);
    if (tensor.type != wanted.type)
      throw ModelFileError("tensor '" + name + "' is " + tensor.type_name() + ", the network " +
                           wanted.type_name());
    if (tensor.axes != wanted.axes || tensor.shape != wanted.shape)
      throw ModelFileError(name + " has shape " + wanted.shape_text() + ", got " +
                           tensor.shape_text());
  });
}

template <class T>
std::vector<T> read_values(const Tensor& tensor, ByteSource& source) {
  std::vector<T> values(static_cast<std::size_t>(tensor.shape[0] * tensor.shape[1]));
  source.read(tensor.offset, values.data(), values.size() * sizeof(T));
  swap_where_big_endian(values);
  return values;
}

/// The weights of a dense layer, as floats.
std::vector<float> read_small(const std::string& name, WeightType weights,
                              SafetensorsHeader& header, ByteSource& source) {
  const Tensor& tensor = *header.find(name);
  if (weights == WeightType::bfloat16) return widened(read_values<std::uint16_t>(tensor, source));
  const Tensor& scales = *header.find(name + ".scale");
  try {
    return widened({read_values<std::int8_t>(tensor, source), read_values<float>(scales, source)});
  } catch (const Error& error) {
    throw ModelFileError("tensor '" + name + "': " + error.what());
  }
}

template <class T>
Model<T> restore(NetworkDescription description, const Json& record, SafetensorsHeader& header,
                 ByteSource& source) {
  TrainingState training = read_training(record);
  const Counters counters = read_counters(record);
  check_training(training, counters);
  check_run_record(record);
  Model<T> model{Network<T>(std::move(description.graph), description.seed, InitialValues::zeros),
                 std::move(training), std::move(description.quantization)};
  const WeightType weights = model.quantization.weights;
  if (weights != WeightType::unchanged && counters.optimizer_state)
    throw Error("a file of small weights holds no memory of an optimizer");
  Network<T>& network = model.network;
  const bool with_memory = model.training.optimizer && counters.optimizer_state;
  const Optimizer optimizer =
      with_memory ? *model.training.optimizer : Optimizer::defaults(Optimizer::Kind::sgd);
  for (std::size_t i = 0; i < description.feature_names.size(); ++i)
    network.set_feature_names(std::move(description.feature_names[i]),
                              static_cast<std::int64_t>(i));
  for (std::size_t i = 0; i < description.class_names.size(); ++i)
    network.set_class_names(std::move(description.class_names[i]), static_cast<std::int64_t>(i));
  network.set_category_names(std::move(description.category_names));
  check_tensors(network.parameters(), optimizer.slots(), tensor_type<T>, network.graph(), weights,
                header);
  network.restore_training(optimizer, counters.steps, counters.total_steps, counters.epochs);
  for_each_tensor(network.parameters(), optimizer.slots(),
                  [&](const std::string& name, const ParameterInfo& info, const std::string* slot) {
                    std::vector<T> values;
                    if constexpr (std::is_same_v<T, float>) {
                      if (is_small(network.graph(), info, slot, weights))
                        values = read_small(name, weights, header, source);
                    }
                    if (values.empty()) values = read_values<T>(*header.find(name), source);
                    check_values(info, slot, values);
                    if (slot == nullptr) {
                      network.set_parameter(name, values.data());
                    } else {
                      network.set_slot(*slot, info.name, values.data());
                    }
                  });
  network.set_exact_mean(std::move(description.exact_mean));
  if (!with_memory) network.reset_optimizer();
  network.set_adapted(counters.adapted);
  return model;
}

/// A model of the one precision: a program that reads no other links nothing of it.
template <class T>
Model<T> restore_as(std::type_identity<Model<T>>, NetworkDescription network, const Json& record,
                    SafetensorsHeader& header, ByteSource& source) {
  if (network.type != data_type<T>) {
    const bool single = network.type == DataType::float32;
    throw ModelFileError(std::string("the network is ") + (single ? "float32" : "float64") +
                         ", expected " + (single ? "float64" : "float32"));
  }
  return restore<T>(std::move(network), record, header, source);
}

/// Of the precision that the file has.
AnyModel restore_as(std::type_identity<AnyModel>, NetworkDescription network, const Json& record,
                    SafetensorsHeader& header, ByteSource& source) {
  if (network.type == DataType::float32)
    return restore<float>(std::move(network), record, header, source);
  return restore<double>(std::move(network), record, header, source);
}

template <class T>
TrainingState& training_of(Model<T>& model) {
  return model.training;
}
TrainingState& training_of(AnyModel& model) {
  return std::visit([](auto& read) -> TrainingState& { return read.training; }, model);
}

/// `Read`: AnyModel or a Model.
template <class Read>
Read read_source(ByteSource& source) {
  std::unique_ptr<CheckedFile> file = check_file(source);
  return refused_as("the description does not fit: ", [&] {
    const auto restored = [&] {
      const Json description = Json::parse(file->text);
      NetworkDescription network = read_network(description.at("network"));
      check_size(network, file->header.tensors());
      const Json record = description.at("training");
      read_earlier_names(network, record);
      return restore_as(std::type_identity<Read>{}, std::move(network), record, file->header,
                        source);
    };
    Read model = restored();
    // A long history is then in memory no more than twice.
    const std::string text = std::move(file->text);
    file.reset();
    training_of(model).rest = read_rest(Json::parse(text).at("training"));
    return model;
  });
}

/// The same of the file at `path`, which errors name.
template <class Read>
Read load(const std::string& path) {
  try {
    return read_source<Read>(*open_source(path));
  } catch (const ModelFileError& error) {
    throw ModelFileError(path + ": " + error.what());
  }
}

}  // namespace
}  // namespace model_file

template <class T>
Model<T> load_model(const std::string& path) {
  return model_file::load<Model<T>>(path);
}

template <class T>
Model<T> read_model(std::string_view content) {
  return model_file::read_source<Model<T>>(*model_file::source_of(content));
}

AnyModel load_any_model(const std::string& path) { return model_file::load<AnyModel>(path); }

AnyModel read_any_model(std::string_view content) {
  return model_file::read_source<AnyModel>(*model_file::source_of(content));
}

std::string read_model_description(std::string_view content) {
  return std::move(model_file::check_file(*model_file::source_of(content))->text);
}

template Model<float> load_model(const std::string&);
template Model<double> load_model(const std::string&);
template Model<float> read_model(std::string_view);
template Model<double> read_model(std::string_view);

}  // namespace chainrule

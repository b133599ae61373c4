// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "chainrule/atomic_file.hpp"
#include "chainrule/config.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/model_file.hpp"
#include "chainrule/version.h"
#include "model/lambda.hpp"
#include "model_file/byte_source.hpp"
#include "model_file/checksum.hpp"
#include "model_file/json.hpp"
#include "model_file/json_writer.hpp"
#include "model_file/network_description.hpp"
#include "model_file/network_tensors.hpp"
#include "model_file/run_record.hpp"
#include "model_file/safetensors.hpp"
#include "model_file/small_tensors.hpp"
#include "model_file/training_description.hpp"

namespace chainrule {
namespace model_file {
namespace {

/// Whether the optimizer would go on from the memory that there is.
template <class T>
bool goes_on(const TrainingState& training, const Network<T>& network) {
  return training.optimizer && training.optimizer->config().kind == network.optimizer_kind() &&
         training.optimizer->slots() == network.optimizer_slots();
}

bool has_epsilon_hat(const Optimizer& optimizer) {
  const Config config = optimizer.config();
  return std::any_of(config.options.begin(), config.options.end(),
                     [](const ConfigEntry& option) { return option.name == "epsilon_hat"; });
}

/// Whether a layer has options that came with format 4.
bool has_later_options(const Layer& layer) {
  if (layer.unknown_categories() != Unseen::error || layer.missing_categories() != Unseen::error)
    return true;
  if (const auto* encoding = dynamic_cast<const CategoryEncoding*>(&layer))
    return !encoding->columns.empty() || encoding->binary_as_sign;
  const bool had_none = layer.kind() == "normalization" || layer.kind() == "average";
  return had_none && !layer.config().options.empty();
}

/// Whether a node has what came with format 4: members, and options of layers.
bool is_later(const Node& node) { return node.member != 0 || has_later_options(**node.layer); }

/// The least format whose readers know everything that is in the file.
std::int64_t format_of(const TrainingState& training, const Graph& graph, WeightType weights) {
  if (weights != WeightType::unchanged) return 5;
  for (const Node& node : graph.nodes())
    if (node.layer && is_later(node)) return 4;
  if (!is_plain_chain(graph) || (training.optimizer && has_epsilon_hat(*training.optimizer)))
    return 3;
  const AnyLayer& first = *graph.node(1).layer;
  const bool lazy = training.optimizer && training.optimizer->lazy;
  const bool from_logits = training.loss && training.loss->from_logits();
  return lazy || from_logits || first->reads_categories() ? 2 : 1;
}

/// What each input or output has of a kind of names.
template <class T>
PartNames names_of(const Network<T>& network, const NamesKeys& keys,
                   const std::vector<std::string>& (Network<T>::*get)(std::int64_t) const) {
  PartNames names;
  for (std::size_t i = 0; i < (network.graph().*keys.nodes)().size(); ++i)
    names.push_back((network.*get)(static_cast<std::int64_t>(i)));
  return names;
}

template <class T>
std::string describe(const Network<T>& network, const TrainingState& training,
                     const Counters& counters, const Quantization& quantization) {
  JsonWriter json;
  json.begin_object();
  json.member("format_version", format_of(training, network.graph(), quantization.weights));
  json.member("chainrule_version", version());
  json.name("network");
  write_network(json, {network.graph(), network.seed(), data_type<T>,
                       names_of(network, feature_keys, &Network<T>::feature_names),
                       names_of(network, class_keys, &Network<T>::class_names),
                       network.category_names(), network.exact_mean(), quantization});
  json.name("training");
  TrainingState state = training;
  // A divergence may have led back to before the schedule began.
  state.schedule_origin = std::min(state.schedule_origin, counters.total_steps);
  write_training(json, state, counters);
  json.end_object();
  std::string text = json.take();
  // What could not be read must not be written.
  const Json written = Json::parse(text);
  read_network(written.at("network"));
  const Json record = written.at("training");
  check_training(read_training(record), counters);
  check_run_record(record);
  return text;
}

template <class T>
void append_values(std::string& content, std::vector<T> values) {
  swap_where_big_endian(values);
  content.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

/// weight: of a dense layer, info.shape
void append_small(std::string& content, const std::vector<float>& weight, const ParameterInfo& info,
                  WeightType type) {
  if (type == WeightType::bfloat16) return append_values(content, narrowed(weight));
  Int8Matrix matrix = quantized(weight, static_cast<std::size_t>(info.shape.columns()));
  append_values(content, std::move(matrix.integers));
  append_values(content, std::move(matrix.scales));
}

/// The tensors in the order in which write_values writes them; `names` keeps their names.
std::vector<Tensor> list_tensors(const std::vector<ParameterInfo>& infos,
                                 const std::vector<std::string>& slots, TensorType type,
                                 const Graph& graph, WeightType weights,
                                 std::vector<std::string>& names) {
  std::vector<Tensor> tensors;
  for_each_tensor(infos, slots,
                  [&](const std::string& name, const ParameterInfo& info, const std::string* slot) {
                    for_each_part(graph, name, info, slot, type, weights,
                                  [&](const std::string& part, const Tensor& tensor) {
                                    names.push_back(part);
                                    tensors.push_back(tensor);
                                  });
                  });
  for (std::size_t i = 0; i < names.size(); ++i) tensors[i].name = names[i];
  return tensors;
}

template <class T>
void write_values(const Network<T>& network, const std::vector<std::string>& slots,
                  WeightType weights, std::string& content) {
  for_each_tensor(network.parameters(), slots,
                  [&](const std::string&, const ParameterInfo& info, const std::string* slot) {
                    std::vector<T> values(static_cast<std::size_t>(info.shape.size()));
                    if (slot == nullptr) {
                      network.get_parameter(info.name, values.data());
                    } else {
                      network.get_slot(*slot, info.name, values.data());
                    }
                    check_values(info, slot, values);
                    if constexpr (std::is_same_v<T, float>) {
                      if (is_small(network.graph(), info, slot, weights))
                        return append_small(content, values, info, weights);
                    }
                    append_values(content, std::move(values));
                  });
}

}  // namespace
}  // namespace model_file

template <class T>
std::string model_bytes(const Network<T>& network, const TrainingState& training,
                        const Quantization& quantization) {
  model::refuse_lambdas(network.graph(), "a model file");
  if (training.loss && training.loss->is_custom())
    throw Error("the loss is a function of the program, '" +
                training.loss->options.get_if<CustomLoss>()->name() +
                "', which a model file cannot hold: save without a loss");
  // Another thread must not train between the reading of two arrays.
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): the copy is what is wanted
  const Network<T> copy(network);
  const WeightType weights = quantization.weights;
  const bool goes_on = weights == WeightType::unchanged && model_file::goes_on(training, copy);
  const model_file::Counters counters{goes_on, copy.steps(), copy.total_steps(), copy.epochs(),
                                      copy.adapted()};
  const std::string description = model_file::describe(copy, training, counters, quantization);
  const std::vector<std::string> slots =
      counters.optimizer_state ? copy.optimizer_slots() : std::vector<std::string>{};
  std::vector<std::string> names;
  std::vector<model_file::Tensor> tensors = model_file::list_tensors(
      copy.parameters(), slots, model_file::tensor_type<T>, copy.graph(), weights, names);

  std::vector<std::pair<std::string, std::string>> metadata{{"chainrule", description},
                                                            {"crc32", "00000000"}};
  std::string content = model_file::safetensors_header(metadata, tensors);
  std::size_t size = content.size();
  for (const model_file::Tensor& tensor : tensors) size += tensor.size();
  content.reserve(size);
  model_file::write_values(copy, slots, weights, content);
  auto sorted = tensors;
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  metadata[1].second = model_file::checksum(description, sorted, *model_file::source_of(content));
  const std::string header = model_file::safetensors_header(metadata, tensors);
  std::memcpy(content.data(), header.data(), header.size());
  return content;
}

template <class T>
void save_model(const std::string& path, const Network<T>& network, const TrainingState& training,
                const Quantization& quantization) {
  write_atomically(path, model_bytes(network, training, quantization));
}

template std::string model_bytes(const Network<float>&, const TrainingState&, const Quantization&);
template std::string model_bytes(const Network<double>&, const TrainingState&, const Quantization&);
template void save_model(const std::string&, const Network<float>&, const TrainingState&,
                         const Quantization&);
template void save_model(const std::string&, const Network<double>&, const TrainingState&,
                         const Quantization&);

}  // namespace chainrule

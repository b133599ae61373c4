// SPDX-License-Identifier: Apache-2.0
#include "c_api/network.hpp"

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "c_api/options.hpp"
#include "c_api/status.hpp"
#include "c_api/views.hpp"
#include "chainrule/any_model.hpp"
#include "chainrule/config.hpp"
#include "chainrule/graph.hpp"
#include "chainrule/graph_config.hpp"
#include "chainrule/layer.hpp"
#include "chainrule/names.hpp"
#include "chainrule/predictor.hpp"

namespace chainrule::c_api {
namespace {

std::string layers_of(const AnyNetwork& network) {
  std::vector<Config> configs;
  std::string text;
  std::visit(
      [&](const auto& typed) {
        const Graph& graph = typed->graph();
        if (!graph.is_chain()) {
          text = to_json(graph.config());
          return;
        }
        for (const AnyLayer& layer : typed->layers()) configs.push_back(layer->config());
      },
      network);
  return text.empty() ? to_json(configs) : text;
}

/// The graph of a list of layers, or of an object with nodes.
Graph make_graph(std::string_view layers, std::int64_t inputs) {
  if (layers.find_first_not_of(" \t\r\n") == layers.find('{')) {
    Graph graph = Graph::from_config(graph_config_from_json(layers));
    graph.check();
    std::int64_t columns = 0;
    for (const std::int64_t input : graph.inputs()) columns += graph.node(input).shape.size();
    if (inputs != 0 && inputs != columns)
      throw Error("inputs is " + std::to_string(inputs) + "; the graph reads rows of " +
                  std::to_string(columns) + " values");
    return graph;
  }
  std::vector<AnyLayer> list;
  for (const Config& config : configs_from_json(layers)) list.push_back(Layer::from_config(config));
  if (list.empty()) throw Error("a network needs at least one layer");
  if (inputs < 1) throw Error("a network needs at least one input, got " + std::to_string(inputs));
  return Graph::chain(list, inputs);
}

AnyNetwork make_network(std::string_view layers, std::int64_t inputs,
                        const chainrule_network_options& options) {
  Graph graph = make_graph(layers, inputs);
  switch (options.type) {
    case 0:
    case CHAINRULE_FLOAT32:
      return std::make_shared<Network<float>>(std::move(graph), options.seed);
    case CHAINRULE_FLOAT64:
      return std::make_shared<Network<double>>(std::move(graph), options.seed);
    default:
      throw Error("options.type is " + std::to_string(options.type) +
                  ", expected CHAINRULE_FLOAT32 or CHAINRULE_FLOAT64");
  }
}

std::unique_ptr<NetworkObject> object_for(AnyModel model) {
  return std::visit(
      []<class T>(Model<T>& typed) {
        return std::make_unique<NetworkObject>(
            std::make_shared<Network<T>>(std::move(typed.network)), std::move(typed.training));
      },
      model);
}

template <class T>
const ParameterInfo& parameter(const Network<T>& network, std::string_view name) {
  std::vector<std::string> valid;
  for (const ParameterInfo& info : network.parameters()) {
    if (info.name == name) return info;
    valid.push_back(info.name);
  }
  throw Error(unknown_name("parameter", name, std::move(valid)));
}

/// Parameter `name`, for an array of `size` bytes at `values`.
template <class T>
const ParameterInfo& parameter(const Network<T>& network, const char* name, const void* values,
                               std::size_t size) {
  const ParameterInfo& info = parameter(network, text(name, "name"));
  require_non_null(values, "values");
  check_bytes<T>(size, info.shape.positions(), info.shape.columns(), info.name);
  return info;
}

template <class T>
constexpr chainrule_type type_of(const Network<T>&) {
  return sizeof(T) == 4 ? CHAINRULE_FLOAT32 : CHAINRULE_FLOAT64;
}

}  // namespace

std::vector<RowsView> split(const Graph& graph, const RowsView& x) {
  std::vector<RowsView> inputs;
  if (graph.inputs().size() == 1) return {x};
  if (x.compressed()) throw Error("x is sparse, which a network of several inputs does not take");
  std::int64_t first = 0;
  for (const std::int64_t input : graph.inputs()) {
    inputs.push_back(x);
    inputs.back().columns = graph.node(input).shape.size();
    inputs.back().data = static_cast<const char*>(x.data) + first * x.column_stride;
    first += inputs.back().columns;
  }
  if (first != x.columns)
    throw Error("x has " + std::to_string(x.columns) + " columns; the network expects " +
                std::to_string(first));
  return inputs;
}

NetworkObject::NetworkObject(AnyNetwork network_, TrainingState training_)
    : network(std::move(network_)),
      training(std::make_shared<const TrainingState>(std::move(training_))),
      layers(layers_of(network)) {}

}  // namespace chainrule::c_api

using namespace chainrule;
using namespace chainrule::c_api;

chainrule_status chainrule_network_create(const char* layers, int64_t inputs,
                                          const chainrule_network_options* options,
                                          chainrule_network** network) {
  return translate_exceptions([&] {
    require_non_null(network, "the result's pointer");
    return_handle(
        std::make_unique<NetworkObject>(
            make_network(text(layers, "layers"), inputs, read_options(options)), TrainingState{}),
        network);
  });
}

chainrule_status chainrule_network_load(const char* path, chainrule_network** network) {
  return translate_exceptions([&] {
    require_non_null(network, "the result's pointer");
    return_handle(object_for(load_any_model(std::string(text(path, "path")))), network);
  });
}

chainrule_status chainrule_network_read(const void* content, size_t size,
                                        chainrule_network** network) {
  return translate_exceptions([&] {
    require_non_null(content, "content");
    require_non_null(network, "the result's pointer");
    const std::string_view bytes(static_cast<const char*>(content), size);
    return_handle(object_for(read_any_model(bytes)), network);
  });
}

chainrule_status chainrule_network_save(const chainrule_network* network, const char* path) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    const std::string to(text(path, "path"));
    with_network(object, [&](const auto& n) { save_model(to, n, *object.training); });
  });
}

chainrule_status chainrule_network_copy(const chainrule_network* network,
                                        chainrule_network** copy) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    require_non_null(copy, "the result's pointer");
    with_network(object, [&]<class T>(const Network<T>& n) {
      return_handle(
          std::make_unique<NetworkObject>(std::make_shared<Network<T>>(n), *object.training), copy);
    });
  });
}

chainrule_status chainrule_network_destroy(chainrule_network* network) {
  return translate_exceptions([&] { destroy_handle(network, Kind::network); });
}

chainrule_status chainrule_network_get_info(const chainrule_network* network,
                                            chainrule_network_info* info) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    check_structure(info, "info");
    chainrule_network_info values{};
    with_network(object, [&](const auto& n) {
      values.type = type_of(n);
      values.inputs = n.inputs();
      values.outputs = n.outputs();
      values.layers = static_cast<std::int64_t>(n.layers().size());
      values.parameters = static_cast<std::int64_t>(n.parameters().size());
      values.seed = n.seed();
      values.input_nodes = static_cast<std::int64_t>(n.graph().inputs().size());
      values.output_nodes = static_cast<std::int64_t>(n.graph().outputs().size());
    });
    write_structure(values, info);
  });
}

chainrule_status chainrule_network_get_layers(const chainrule_network* network,
                                              const char** layers) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    require_non_null(layers, "the result's pointer");
    *layers = object.layers.c_str();
  });
}

chainrule_status chainrule_network_get_parameter_info(const chainrule_network* network,
                                                      int64_t index,
                                                      chainrule_parameter_info* info) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    check_structure(info, "info");
    with_network(object, [&](const auto& n) {
      const std::vector<ParameterInfo>& all = n.parameters();
      const auto count = static_cast<std::int64_t>(all.size());
      if (index < 0 || index >= count)
        throw Error("index is " + std::to_string(index) + "; the network has " +
                    std::to_string(count) + " parameters");
      const ParameterInfo& found = all[static_cast<std::size_t>(index)];
      chainrule_parameter_info values{};
      values.name = found.name.c_str();
      values.layer = found.layer;
      values.dimensions = static_cast<decltype(values.dimensions)>(found.shape.rank());
      values.rows = found.shape.positions();
      values.columns = found.shape.columns();
      values.trainable = found.trainable ? 1 : 0;
      write_structure(values, info);
    });
  });
}

chainrule_status chainrule_network_get_parameter(const chainrule_network* network, const char* name,
                                                 void* values, size_t size) {
  return translate_exceptions([&] {
    with_network(object_of<NetworkObject>(network), [&]<class T>(const Network<T>& n) {
      n.get_parameter(parameter(n, name, values, size).name, static_cast<T*>(values));
    });
  });
}

chainrule_status chainrule_network_set_parameter(chainrule_network* network, const char* name,
                                                 const void* values, size_t size) {
  return translate_exceptions([&] {
    with_network(object_of<NetworkObject>(network), [&]<class T>(Network<T>& n) {
      n.set_parameter(parameter(n, name, values, size).name, static_cast<const T*>(values));
    });
  });
}

chainrule_status chainrule_network_adapt(chainrule_network* network, const chainrule_rows* x) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    const RowsView rows = rows_view(x, "x");
    with_network(object, [&](auto& n) { n.adapt(split(n.graph(), rows)); });
  });
}

chainrule_status chainrule_network_interpolate(chainrule_network* network,
                                               const chainrule_network* source, double tau) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    const auto& other = object_of<NetworkObject>(source);
    with_network(object, [&]<class T>(Network<T>& n) {
      const auto* same = std::get_if<std::shared_ptr<Network<T>>>(&other.network);
      if (same == nullptr) throw Error("the networks have different types of numbers");
      n.interpolate(**same, tau);
    });
  });
}

chainrule_status chainrule_network_predict(const chainrule_network* network,
                                           const chainrule_rows* x,
                                           const chainrule_predict_options* options, void* outputs,
                                           size_t size) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    const RowsView rows = rows_view(x, "x");
    const chainrule_predict_options o = read_options(options);
    const int threads = thread_count(o.num_threads);
    const InputSparsity sparsity = c_api::input_sparsity(o.input_sparsity);
    require_non_null(outputs, "outputs");
    with_network(object, [&]<class T>(const Network<T>& n) {
      check_bytes<T>(size, rows.rows, n.outputs(), "outputs");
      n.predict(split(n.graph(), rows), o.batch_size == 0 ? 256 : o.batch_size, threads,
                static_cast<T*>(outputs), sparsity);
    });
  });
}

chainrule_status chainrule_network_calibrate(const chainrule_network* network,
                                             const chainrule_rows* x, float* ranges,
                                             int64_t capacity, int64_t* count) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    require_non_null(ranges, "ranges");
    require_non_null(count, "count");
    const RowsView rows = rows_view(x, "x");
    with_network(object, [&]<class T>(const Network<T>& n) {
      const Quantization found = Predictor<T>::calibrate(n, split(n.graph(), rows));
      const auto needed = static_cast<std::int64_t>(2 * found.ranges.size());
      if (capacity < needed)
        throw Error("ranges has room for " + std::to_string(capacity) + " numbers; there are " +
                    std::to_string(needed) + ", two for each dense layer");
      for (const InputRange& range : found.ranges) {
        *ranges++ = range.low;
        *ranges++ = range.high;
      }
      *count = needed;
    });
  });
}

// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <mutex>
#include <string>

#include "chainrule/error.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {
namespace {

template <class T>
struct Registry {
  std::mutex mutex;
  std::map<std::string, StageFactory<T>, std::less<>> factories{
      {"activation", add_activation<T>},
      {"batch_normalization", add_batch_normalization<T>},
      {"category_encoding", add_category_encoding<T>},
      {"dense", add_dense<T>},
      {"dropout", add_dropout<T>},
      {"embedding", add_embedding<T>},
      {"layer_normalization", add_layer_normalization<T>},
      {"normalization", add_normalization<T>},
      {"rescaling", add_rescaling<T>},
  };
};

template <class T>
Registry<T>& registry() {
  static Registry<T> instance;
  return instance;
}

}  // namespace

template <class T>
void register_stage(std::string_view kind, StageFactory<T> factory) {
  Registry<T>& r = registry<T>();
  const std::lock_guard lock(r.mutex);
  r.factories.insert_or_assign(std::string(kind), factory);
}

template <class T>
void add_stages(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  StageFactory<T> factory = nullptr;
  {
    Registry<T>& r = registry<T>();
    const std::lock_guard lock(r.mutex);
    const auto found = r.factories.find(layer.kind());
    if (found != r.factories.end()) factory = found->second;
  }
  if (!factory)
    throw Error("no stage is registered for layers of kind '" + std::string(layer.kind()) + "'");
  const std::size_t first = stages.size();
  factory(layer, context, stages);
  for (std::size_t i = first; i < stages.size(); ++i) stages[i]->layer = context.layer;
}

template void add_stages(const Layer&, const StageContext<float>&, Stages<float>&);
template void add_stages(const Layer&, const StageContext<double>&, Stages<double>&);
template void register_stage(std::string_view, StageFactory<float>);
template void register_stage(std::string_view, StageFactory<double>);

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layer.hpp"

#include <mutex>

#include "chainrule/config.hpp"
#include "chainrule/error.hpp"
#include "chainrule/layers.hpp"
#include "chainrule/names.hpp"

namespace chainrule {
namespace {

struct KnownLayer {
  std::string kind;
  Layer::Factory factory;
};

template <class T>
AnyLayer make(const Config& config) {
  return T::from_config(config);
}

/// The kinds of layer in the order in which they were made known.
class LayerTable {
 public:
  static LayerTable& instance() {
    static LayerTable table;
    return table;
  }

  void add(const std::string& kind, Layer::Factory made_by) {
    const std::lock_guard lock(mutex_);
    if (find(kind) != nullptr) throw Error("layer kind '" + kind + "' is registered already");
    layers_.push_back({kind, made_by});
  }

  Layer::Factory factory(const std::string& kind) const {
    const std::lock_guard lock(mutex_);
    const KnownLayer* layer = find(kind);
    if (layer == nullptr) throw Error(unknown_name("layer", kind, names()));
    return layer->factory;
  }

  std::vector<std::string> kinds() const {
    const std::lock_guard lock(mutex_);
    return names();
  }

 private:
  const KnownLayer* find(const std::string& kind) const {
    for (const KnownLayer& layer : layers_)
      if (layer.kind == kind) return &layer;
    return nullptr;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const KnownLayer& layer : layers_) result.push_back(layer.kind);
    return result;
  }

  mutable std::mutex mutex_;
  std::vector<KnownLayer> layers_{
      {"dense", make<Dense>},
      {"activation", make<ActivationLayer>},
      {"dropout", make<Dropout>},
      {"batch_normalization", make<BatchNormalization>},
      {"layer_normalization", make<LayerNormalization>},
      {"rescaling", make<Rescaling>},
      {"normalization", make<Normalization>},
      {"category_encoding", make<CategoryEncoding>},
      {"embedding", make<Embedding>},
  };
};

}  // namespace

AnyLayer Layer::from_config(const Config& config) {
  return LayerTable::instance().factory(config.kind)(config);
}

std::vector<std::string> Layer::kinds() { return LayerTable::instance().kinds(); }

void Layer::register_kind(const std::string& kind, Factory factory) {
  if (kind.empty()) throw Error("a layer's kind must not be empty");
  if (!factory) throw Error("layer kind '" + kind + "' needs a factory, got none");
  LayerTable::instance().add(kind, factory);
}

}  // namespace chainrule

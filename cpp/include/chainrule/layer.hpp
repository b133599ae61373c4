// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/error.hpp"
#include "chainrule/export.h"
#include "chainrule/initializer.hpp"
#include "chainrule/parameter_factors.hpp"
#include "chainrule/shape.hpp"

namespace chainrule {

class AnyLayer;
struct Config;

/// One array that a layer owns: what it is called, its shape and how it starts.
struct ParameterSpec {
  std::string name;  // "weight", "bias", "gamma", "running_mean", ...
  Shape shape = 0;   // kept as a matrix of shape.positions() x shape.columns()
  Initializer initializer = {};
  std::int64_t ones_begin = 0;  // columns [ones_begin, ones_end) start at 1 all the same
  std::int64_t ones_end = 0;
  bool trainable = true;  // false: state that the layer itself keeps, such as running statistics
  double l1 = 0.0;        // penalty l1 * sum |w| + l2 * sum w^2, added to the gradient
  double l2 = 0.0;
  double learning_rate_factor = 1.0;  // of the optimizer's
  double weight_decay_factor = 1.0;
  std::int64_t fan_out = 0;  // sums that an input is part of, for initialisers; 0: columns
};

/// What becomes of a whole number that is none of the known categories, or of NaN, which stands for
/// a missing one: an error, zeros where the outputs of a category would be, or those of a category
/// of its own behind the known ones, the unknown one before the missing one.
enum class Unseen { error, zero, code };

/// The plain description of one layer. It holds options, not numbers; the engine turns it into a
/// stage. A new layer is one class derived from this and one stage in the engine.
class CHAINRULE_API Layer {
 public:
  virtual ~Layer() = default;

  virtual std::string_view kind() const = 0;
  virtual Config config() const = 0;

  /// The shape of what it gives for a row of each of its inputs, which have these shapes; throws
  /// Error when it cannot take them or when one of its own options is out of range. Most layers
  /// read one input and work on each of its positions by itself.
  virtual Shape output_shape(const std::vector<Shape>& inputs) const = 0;
  virtual std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const = 0;

  /// Whether it reads categories, whole numbers from 0, in columns of x. Only the first layer of a
  /// network may.
  virtual bool reads_categories() const { return false; }
  /// How many there may be in each of `inputs` columns, 0 for a column of any numbers; of a layer
  /// that reads some.
  virtual std::vector<std::int64_t> categories(std::int64_t inputs) const {
    (void)inputs;
    return {};
  }

  /// What becomes of numbers that are none of them, of a layer that reads some.
  virtual Unseen unknown_categories() const { return Unseen::error; }
  virtual Unseen missing_categories() const { return Unseen::error; }

  /// Whether parameters that are not trained are taken from data, by Network::adapt.
  virtual bool adapts() const { return false; }

  /// The fewest rows that a batch may have in training. An epoch whose batches all have fewer is an
  /// error; where only a last, shorter batch has, the layer has to cope.
  virtual std::int64_t least_training_rows() const { return 1; }

  static AnyLayer from_config(const Config& config);
  static std::vector<std::string> kinds();
};

/// A layer with arrays that are trained. An optimizer trains each as if its learning rate were
/// learning_rate_factor times as large and its weight decay weight_decay_factor times: PyTorch's
/// parameter groups. Both factors are >= 0.
class CHAINRULE_API TrainedLayer : public Layer {
 public:
  ParameterFactors learning_rate_factor;
  ParameterFactors weight_decay_factor;
};

/// A layer of any kind, held by value: a copy of the one given. One that was moved from may only be
/// assigned to or destroyed.
class AnyLayer {
 public:
  template <class L>
    requires std::derived_from<L, Layer>
  AnyLayer(const L& layer) : layer_(new L(layer)), copy_(&copy_of<L>) {}
  AnyLayer(const AnyLayer& other) : layer_(other.copy_(*other.layer_)), copy_(other.copy_) {}
  AnyLayer(AnyLayer&& other) noexcept
      : layer_(std::exchange(other.layer_, nullptr)), copy_(other.copy_) {}
  AnyLayer& operator=(AnyLayer other) noexcept {
    std::swap(layer_, other.layer_);
    std::swap(copy_, other.copy_);
    return *this;
  }
  ~AnyLayer() { delete layer_; }

  const Layer& operator*() const noexcept { return *layer_; }
  const Layer* operator->() const noexcept { return layer_; }

 private:
  template <class L>
  static const Layer* copy_of(const Layer& layer) {
    return new L(static_cast<const L&>(layer));
  }

  const Layer* layer_;
  const Layer* (*copy_)(const Layer&);
};

}  // namespace chainrule

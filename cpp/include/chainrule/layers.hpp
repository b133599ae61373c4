// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "chainrule/activation.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/error.hpp"
#include "chainrule/export.h"
#include "chainrule/initializer.hpp"
#include "chainrule/layer.hpp"
#include "chainrule/number_embeddings.hpp"
#include "chainrule/schedule.hpp"

namespace chainrule {

/// y = activation(x W + b), W of shape (inputs, units), b of shape (units).
/// Parameters: weight, bias (if use_bias); the penalties l1 and l2 are on the weight alone.
class CHAINRULE_API Dense final : public TrainedLayer {
 public:
  std::int64_t units = 0;
  Activation activation;
  bool use_bias = true;
  std::optional<Initializer> weight_initializer;  // default: Initializer::for_activation
  Initializer bias_initializer;                   // default: zeros
  double l1 = 0.0;
  double l2 = 0.0;

  Dense() = default;
  explicit Dense(std::int64_t units_, Activation activation_ = {})
      : units(units_), activation(activation_) {}
  /// With an activation by its name and default options; throws Error for an unknown one.
  Dense(std::int64_t units_, std::string_view activation_);
  static Dense from_config(const Config& config);

  std::string_view kind() const override { return "dense"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// An activation on its own, for use after a normalisation.
class CHAINRULE_API ActivationLayer final : public Layer {
 public:
  Activation activation;

  ActivationLayer() = default;
  explicit ActivationLayer(Activation activation_) : activation(activation_) {}
  /// The activation of this name, with default options; throws Error for an unknown one.
  explicit ActivationLayer(std::string_view activation_);
  static ActivationLayer from_config(const Config& config);

  std::string_view kind() const override { return "activation"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// x for x > 0, else slope * x, with a slope of its own for each feature that is trained.
/// Parameters: slope.
///
/// Reference: He, Zhang, Ren & Sun, "Delving deep into rectifiers", ICCV 2015.
class CHAINRULE_API PReLU final : public TrainedLayer {
 public:
  double initial_slope = 0.25;

  static PReLU from_config(const Config& config);

  std::string_view kind() const override { return "prelu"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// x + alpha (f(x) - x), with a share alpha of its own for each column that is trained: at 1 the
/// activation f, at 0 the identity. Parameters: alpha.
///
/// Reference: Holzmuller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and
/// boosted trees on tabular data", NeurIPS 2024.
class CHAINRULE_API ParametricActivation final : public TrainedLayer {
 public:
  Activation activation;  // any but softmax
  double initial_alpha = 1.0;

  ParametricActivation() = default;
  explicit ParametricActivation(Activation activation_) : activation(activation_) {}
  /// The activation of this name, with default options; throws Error for an unknown one.
  explicit ParametricActivation(std::string_view activation_);
  static ParametricActivation from_config(const Config& config);

  std::string_view kind() const override { return "parametric_activation"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;

 private:
  void check_activation() const;
};

/// In training zeroes each value, or with `per_channel` all positions of a channel together, with
/// probability `rate` and scales the rest by 1 / (1 - rate); identity in inference. With a schedule
/// the rate is multiplied by its value, 1 at most; in passes by hand each step counts as an epoch
/// of it.
///
/// References: Srivastava et al., "Dropout: a simple way to prevent neural networks from
/// overfitting", JMLR 2014; per channel Tompson et al., "Efficient object localization using
/// convolutional networks", CVPR 2015.
class CHAINRULE_API Dropout final : public Layer {
 public:
  double rate = 0.5;                      // in [0, 1)
  std::optional<Schedule> rate_schedule;  // any but reduce_on_plateau
  bool per_channel = false;               // the last axis of a row has the channels

  Dropout() = default;
  explicit Dropout(double rate_, bool per_channel_ = false)
      : rate(rate_), per_channel(per_channel_) {}
  static Dropout from_config(const Config& config);

  std::string_view kind() const override { return "dropout"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// x limited to [min_value, max_value], of which one may be left out. The gradient is that of x
/// where it is within, ends included, and else 0.
class CHAINRULE_API Clip final : public Layer {
 public:
  std::optional<double> min_value;
  std::optional<double> max_value;

  Clip() = default;
  Clip(std::optional<double> min_value_, std::optional<double> max_value_)
      : min_value(min_value_), max_value(max_value_) {}
  static Clip from_config(const Config& config);

  std::string_view kind() const override { return "clip"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// In training adds a normally distributed number of mean 0 to each value; identity in inference.
class CHAINRULE_API GaussianNoise final : public Layer {
 public:
  double stddev = -1.0;  // >= 0

  GaussianNoise() = default;
  explicit GaussianNoise(double stddev_) : stddev(stddev_) {}
  static GaussianNoise from_config(const Config& config);

  std::string_view kind() const override { return "gaussian_noise"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// y = x * scale, with a factor of its own for each column that is trained.
/// Parameters: scale.
///
/// Reference: Touvron, Cord, Sablayrolles, Synnaeve & Jegou, "Going deeper with image
/// transformers" (LayerScale), ICCV 2021.
class CHAINRULE_API Scale final : public TrainedLayer {
 public:
  double initial_scale = 1.0;
  std::optional<Initializer> scale_initializer;  // of the factors, in place of initial_scale

  Scale() = default;
  explicit Scale(double initial_scale_) : initial_scale(initial_scale_) {}
  static Scale from_config(const Config& config);

  std::string_view kind() const override { return "scale"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// Per feature over the batch: gamma * (x - mean) / sqrt(variance + epsilon) + beta; inference uses
/// running statistics, running = momentum * running + (1 - momentum) * batch (the batch's variance
/// with n - 1, as PyTorch's, whose momentum is 1 minus this one).
/// Parameters: gamma (if scale), beta (if center), running_mean, running_variance (not trainable).
///
/// Reference: Ioffe & Szegedy, "Batch normalization: accelerating deep network training by reducing
/// internal covariate shift", ICML 2015.
class CHAINRULE_API BatchNormalization final : public TrainedLayer {
 public:
  double momentum = 0.9;  // in [0, 1]
  double epsilon = 1e-5;
  bool center = true;
  bool scale = true;

  static BatchNormalization from_config(const Config& config);

  std::string_view kind() const override { return "batch_normalization"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
  /// One row has no variance.
  std::int64_t least_training_rows() const override { return 2; }
};

/// Per row over the features: gamma * (x - mean) / sqrt(variance + epsilon) + beta.
/// Parameters: gamma (if scale), beta (if center).
///
/// Reference: Ba, Kiros & Hinton, "Layer normalization", arXiv:1607.06450.
class CHAINRULE_API LayerNormalization final : public TrainedLayer {
 public:
  double epsilon = 1e-5;
  bool center = true;
  bool scale = true;

  static LayerNormalization from_config(const Config& config);

  std::string_view kind() const override { return "layer_normalization"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// Categories, whole numbers from 0, as columns with a 1 in a category's place; the first layer of
/// a network. one_hot gives every column of x columns of its own, one behind the other; multi_hot
/// gives all columns of x the same ones, in which a category counts once however often a row has
/// it; count gives how often. Other columns of x pass as they are, in their places. A dense layer
/// behind it works from the ones alone, if all columns hold categories: no table of zeros is made.
class CHAINRULE_API CategoryEncoding final : public Layer {
 public:
  enum class OutputMode { one_hot, multi_hot, count };

  std::vector<std::int64_t> num_tokens;  // categories of each column; a single number: of all
  OutputMode output_mode = OutputMode::one_hot;
  std::vector<std::int64_t> columns;  // of x that hold categories; empty: all
  Unseen unknown = Unseen::error;
  Unseen missing = Unseen::error;
  bool binary_as_sign = false;  // one_hot: two categories are one column of -1 and 1

  CategoryEncoding() = default;
  explicit CategoryEncoding(std::int64_t num_tokens_, OutputMode mode = OutputMode::one_hot)
      : num_tokens{num_tokens_}, output_mode(mode) {}
  explicit CategoryEncoding(std::vector<std::int64_t> num_tokens_)
      : num_tokens(std::move(num_tokens_)) {}
  static CategoryEncoding from_config(const Config& config);

  /// Throws Error when an option is out of its range.
  void check() const;
  /// How many outputs each of the `inputs` columns of x has, in their order; where all columns of
  /// categories share theirs, the first of them has all.
  std::vector<std::int64_t> widths(std::int64_t inputs) const;

  std::string_view kind() const override { return "category_encoding"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
  bool reads_categories() const override { return true; }
  std::vector<std::int64_t> categories(std::int64_t inputs) const override;
  Unseen unknown_categories() const override { return unknown; }
  Unseen missing_categories() const override { return missing; }
};

/// Rows of tables, each for a category in a column of x, whole numbers from 0; the first layer of a
/// network. The outputs are those of the columns that hold categories, in the order of `columns`,
/// and behind them the other columns of x as they are.
///
/// Parameters: weight, of shape (all rows of all tables, units), one table behind the other.
class CHAINRULE_API Embedding final : public TrainedLayer {
 public:
  std::vector<std::int64_t> num_embeddings;  // rows of each column's table; single: all share one
  std::int64_t units = 0;
  std::vector<std::int64_t> columns;  // of x that hold categories; empty: all
  Initializer weight_initializer = Initializer::defaults(Initializer::Kind::uniform);
  Unseen unknown = Unseen::error;  // code: a row of its own behind those of its table
  Unseen missing = Unseen::error;

  Embedding() = default;
  Embedding(std::vector<std::int64_t> num_embeddings_, std::int64_t units_,
            std::vector<std::int64_t> columns_ = {})
      : num_embeddings(std::move(num_embeddings_)), units(units_), columns(std::move(columns_)) {}
  Embedding(std::int64_t num_embeddings_, std::int64_t units_,
            std::vector<std::int64_t> columns_ = {})
      : Embedding(std::vector<std::int64_t>{num_embeddings_}, units_, std::move(columns_)) {}
  static Embedding from_config(const Config& config);

  /// The columns of x that hold categories, in the order of the outputs.
  std::vector<std::int64_t> category_columns(std::int64_t inputs) const;

  std::string_view kind() const override { return "embedding"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
  bool reads_categories() const override { return true; }
  std::vector<std::int64_t> categories(std::int64_t inputs) const override;
  Unseen unknown_categories() const override { return unknown; }
  Unseen missing_categories() const override { return missing; }

 private:
  /// How many columns of x hold categories; throws Error unless all options fit each other and x.
  std::int64_t checked_columns(std::int64_t inputs) const;
};

/// y = x * scale + offset, the same two numbers for every feature.
class CHAINRULE_API Rescaling final : public Layer {
 public:
  double scale = 1.0;
  double offset = 0.0;

  Rescaling() = default;
  explicit Rescaling(double scale_, double offset_ = 0.0) : scale(scale_), offset(offset_) {}
  static Rescaling from_config(const Config& config);

  std::string_view kind() const override { return "rescaling"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// Columns of one scale, by parameters that are adapted to data, not trained: y = (x - mean) /
/// sqrt(variance), or with Method::robust y = (x - center) / scale, of median and interquartile
/// range. With `clip`, y / sqrt(1 + (y / clip)^2) follows, which stays within +-clip.
///
/// NaN stands for a missing number. Missing::zero makes 0 of it, which is the mean or median;
/// Missing::indicator also gives one more column, behind all others, for each that may have some:
/// 1 where the number is missing, else 0.
///
/// With `invert`, y = x sqrt(variance) + mean, or x scale + center, which takes back what a layer
/// with the same parameters does. These are then given, not adapted to data.
class CHAINRULE_API Normalization final : public Layer {
 public:
  enum class Method { standard, robust };
  enum class Missing { error, zero, indicator };

  Method method = Method::standard;
  std::optional<double> clip;  // > 0
  Missing missing = Missing::error;
  std::vector<std::int64_t> columns;            // that are normalised; empty: all
  std::vector<std::int64_t> indicator_columns;  // among these; empty: all of them
  bool invert = false;                          // with neither clip nor missing numbers

  Normalization() = default;
  explicit Normalization(Method method_, std::optional<double> clip_ = {},
                         Missing missing_ = Missing::error, std::vector<std::int64_t> columns_ = {})
      : method(method_), clip(clip_), missing(missing_), columns(std::move(columns_)) {}

  /// Whether each of the `inputs` columns is normalised.
  std::vector<bool> normalized(std::int64_t inputs) const;
  /// The columns that have an indicator, in the order of the outputs.
  std::vector<std::int64_t> indicators(std::int64_t inputs) const;

  static Normalization from_config(const Config& config);

  std::string_view kind() const override { return "normalization"; }
  bool adapts() const override { return !invert; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

}  // namespace chainrule

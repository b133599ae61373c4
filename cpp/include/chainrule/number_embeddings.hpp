// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "chainrule/cxx20.hpp"
#include "chainrule/export.h"
#include "chainrule/layer.hpp"

namespace chainrule {

/// Embeddings of numbers: of each column x the column itself and `units` more, v cos(2 pi w x + b)
/// + beta, with frequencies w, phases b, weights v and biases beta of each column's own, all of
/// which are trained. The outputs of a column stand side by side.
///
/// Parameters: frequency (columns, frequencies), phase (columns, frequencies), weight (columns,
/// units, frequencies), bias (columns, units).
///
/// References: Gorishniy, Rubachev & Babenko, "On embeddings for numerical features in tabular deep
/// learning", NeurIPS 2022; Holzmuller, Grinsztajn & Steinwart, "Better by default: strong
/// pre-tuned MLPs and boosted trees on tabular data" (PBLD), NeurIPS 2024.
class CHAINRULE_API PeriodicEmbedding final : public TrainedLayer {
 public:
  std::int64_t units = 3;         // in 1..32
  std::int64_t frequencies = 16;  // in 1..64
  double frequency_stddev = 0.1;  // of their first values, whose mean is 0

  static PeriodicEmbedding from_config(const Config& config);

  std::string_view kind() const override { return "periodic_embedding"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
};

/// Embeddings of numbers by piecewise-linear encoding: `units` sums w e + beta of the places e that
/// each column x has in its bins, with weights w and biases beta of each column's own. In bin t,
/// e = (x - edges[t]) / (edges[t + 1] - edges[t]) within [0, 1]; below the first bin and above the
/// last it goes on in a straight line. The edges are quantiles, which Network::adapt takes from
/// data; bins without width count nothing, and a column of one value is only centred. The outputs
/// of a column stand side by side.
///
/// Parameters: edges (columns, bins + 1), not trained; weight (columns, units, bins); bias
/// (columns, units).
///
/// Reference: Gorishniy, Rubachev & Babenko, "On embeddings for numerical features in tabular deep
/// learning", NeurIPS 2022.
class CHAINRULE_API PiecewiseLinearEmbedding final : public TrainedLayer {
 public:
  std::int64_t units = 16;  // in 1..32
  std::int64_t bins = 48;   // in 1..128

  static PiecewiseLinearEmbedding from_config(const Config& config);

  std::string_view kind() const override { return "piecewise_linear_embedding"; }
  Config config() const override;
  Shape output_shape(const std::vector<Shape>& inputs) const override;
  std::vector<ParameterSpec> parameters(const std::vector<Shape>& inputs) const override;
  bool adapts() const override { return true; }
};

}  // namespace chainrule

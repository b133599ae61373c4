// SPDX-License-Identifier: Apache-2.0
// A small training of four batches an epoch, whose loop is looked at.
#pragma once

#include <cstdint>
#include <vector>

#include "chainrule/layers.hpp"
#include "chainrule/trainer.hpp"
#include "networks.hpp"

namespace chainrule::testing {

inline constexpr std::int64_t kBatches = 4;
inline const Optimizer sgd = optimizer(Optimizer::Kind::sgd, 0.05);

inline const DataSet& data() {
  static const DataSet instance(50, 6, 4);
  return instance;
}

inline const DataSet& other_data() {
  static const DataSet instance(300, 6, 4, 5);
  return instance;
}

inline Network<float> classifier() {
  return {{Normalization(), Dense(20, "relu"), Dropout(0.2), Dense(4)}, 6, 11};
}

inline FitOptions fit_options(std::int64_t epochs, bool validated = true) {
  FitOptions o;
  o.epochs = epochs;
  o.batch_size = 16;
  if (!validated) return o;
  o.validation_x = other_data().inputs_view();
  o.validation_y = other_data().by_label();
  return o;
}

inline std::vector<EpochReport> fit(Trainer<float>& trainer, const FitOptions& o) {
  return trainer.fit(data().inputs_view(), data().by_label(), o);
}

}  // namespace chainrule::testing

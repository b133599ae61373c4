// SPDX-License-Identifier: Apache-2.0
// y = (x - mean) / sqrt(variance), as the scale and offset of an AffineStage. Where the mean is
// large beside the deviation, float has not the digits for x * scale + offset, and the column is
// worked out in double from x - mean (WideColumn).
#include <cmath>
#include <vector>

#include "chainrule/layers.hpp"
#include "engine/stages/affine.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {

template <class T>
void add_normalization(const Layer&, const StageContext<T>& context, Stages<T>& stages) {
  Parameters<T>* parameters = &context.parameters;
  const Parameter* mean = parameters->find(context.owner, "mean");
  const Parameter* variance = parameters->find(context.owner, "variance");
  const std::int64_t columns = context.inputs;
  const auto factor = [](T v) {
    // A feature that never varies is only centred.
    return v > T(0) ? 1.0 / std::sqrt(static_cast<double>(v)) : 1.0;
  };
  const auto fill = [=](T* scale, T* offset) {
    const T* m = parameters->at(mean);
    const T* v = parameters->at(variance);
    for (std::int64_t j = 0; j < columns; ++j) {
      const double s = factor(v[j]);
      scale[j] = static_cast<T>(s);
      offset[j] = static_cast<T>(-static_cast<double>(m[j]) * s);
    }
  };
  const auto fill_wide = [=](const T* offset, auto& wide) {
    const T* m = parameters->at(mean);
    const T* v = parameters->at(variance);
    const std::vector<double>& exact = parameters->exact_mean();
    const bool known = mean->layer == 0 && !exact.empty();
    for (std::int64_t j = 0; j < columns; ++j) {
      if (!AffineStage<T>::is_wide(static_cast<double>(offset[j]))) continue;
      const double centre = known ? exact[static_cast<std::size_t>(j)] : static_cast<double>(m[j]);
      wide.push_back({j, centre, factor(v[j])});
    }
  };
  stages.push_back(
      std::make_unique<AffineStage<T>>(context.kernels, "normalization", columns, fill, fill_wide));
}

CHAINRULE_INSTANTIATE_FACTORY(add_normalization)

}  // namespace chainrule::engine

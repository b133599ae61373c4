// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "chainrule/layers.hpp"
#include "engine/stages/affine.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {

template <class T>
void add_normalization(const Layer&, const StageContext<T>& context, Stages<T>& stages) {
  Parameters<T>* parameters = &context.parameters;
  const Parameter* mean = parameters->find(context.layer, "mean");
  const Parameter* variance = parameters->find(context.layer, "variance");
  const std::int64_t columns = context.inputs;
  stages.push_back(std::make_unique<AffineStage<T>>(
      context.kernels, "normalization", columns, [=](T* scale, T* offset, auto& wide) {
        const T* m = parameters->at(mean);
        const T* v = parameters->at(variance);
        const bool exact = mean->layer == 0 && !parameters->exact_mean().empty();
        for (std::int64_t j = 0; j < columns; ++j) {
          // A feature that never varies is only centred.
          const double s = v[j] > T(0) ? 1.0 / std::sqrt(static_cast<double>(v[j])) : 1.0;
          scale[j] = static_cast<T>(s);
          offset[j] = static_cast<T>(-static_cast<double>(m[j]) * s);
          if (AffineStage<T>::is_wide(static_cast<double>(offset[j])))
            wide.push_back(
                {j, exact ? parameters->exact_mean()[static_cast<std::size_t>(j)] : m[j], s});
        }
      }));
}

template void add_normalization(const Layer&, const StageContext<float>&, Stages<float>&);
template void add_normalization(const Layer&, const StageContext<double>&, Stages<double>&);

}  // namespace chainrule::engine

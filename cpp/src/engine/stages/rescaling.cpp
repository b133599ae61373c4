// SPDX-License-Identifier: Apache-2.0
#include "chainrule/layers.hpp"
#include "engine/stages/affine.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {

template <class T>
void add_rescaling(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const auto& rescaling = dynamic_cast<const Rescaling&>(layer);
  const auto scale = static_cast<T>(rescaling.scale);
  const auto offset = static_cast<T>(rescaling.offset);
  const std::int64_t columns = context.inputs;
  stages.push_back(
      std::make_unique<AffineStage<T>>(context.kernels, "rescaling", columns, [=](T* s, T* o) {
        std::fill_n(s, columns, scale);
        std::fill_n(o, columns, offset);
      }));
}

template void add_rescaling(const Layer&, const StageContext<float>&, Stages<float>&);
template void add_rescaling(const Layer&, const StageContext<double>&, Stages<double>&);

}  // namespace chainrule::engine

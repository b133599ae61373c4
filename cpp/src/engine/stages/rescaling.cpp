// SPDX-License-Identifier: Apache-2.0
// y = x * scale + offset, with one scale and offset for all columns.
#include "chainrule/layers.hpp"
#include "engine/stages/affine.hpp"
#include "engine/stages/stages.hpp"

namespace chainrule::engine {

template <class T>
void add_rescaling(const Layer& layer, const StageContext<T>& context, Stages<T>& stages) {
  const auto& rescaling = dynamic_cast<const Rescaling&>(layer);
  const double scale = rescaling.scale;
  const double offset = rescaling.offset;
  const std::int64_t columns = context.inputs;
  const auto fill = [=](T* s, T* o) {
    std::fill_n(s, columns, static_cast<T>(scale));
    std::fill_n(o, columns, static_cast<T>(offset));
  };
  // x scale + offset = (x + offset / scale) scale, whose sum has the digits of a double.
  const auto fill_wide = [=](const T*, auto& wide) {
    if (scale == 0.0 || !AffineStage<T>::is_wide(offset)) return;
    for (std::int64_t j = 0; j < columns; ++j) wide.push_back({j, -offset / scale, scale});
  };
  stages.push_back(
      std::make_unique<AffineStage<T>>(context.kernels, "rescaling", columns, fill, fill_wide));
}

CHAINRULE_INSTANTIATE_FACTORY(add_rescaling)

}  // namespace chainrule::engine

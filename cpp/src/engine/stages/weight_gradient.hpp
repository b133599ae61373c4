// SPDX-License-Identifier: Apache-2.0
// The gradient of a weight matrix, in the pieces that engine/stages/blocking.hpp shows.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/stages/blocking.hpp"
#include "engine/stages/stage.hpp"

namespace chainrule::engine {

/// dW = x^T dy over `rows` rows, summed in their order. x: rows x inputs, dy: rows x units.
template <class T>
struct WeightProduct {
  const Parameter& weight;
  const Blocking& blocking;
  std::int64_t rows;
  const T* x;
  std::int64_t x_stride;
  const T* dy;
  std::int64_t dy_stride;
  T* scratch;  // the thread's own, of blocking.scratch_rows() rows of a panel
};

/// g = x(:, inputs)^T dy(:, panel), (inputs x panel): into the arena, or a scratch that the update
/// reads
template <class T>
void weight_gradient(const kernels::KernelTable<T>& kernels, const Step<T>& step,
                     const WeightProduct<T>& product, std::int64_t panel, Range inputs) {
  const kernels::PanelShape& shape = product.weight.shape;
  const std::int64_t width = shape.width(panel);
  const std::int64_t at = shape.offset(panel) + inputs.begin * width;
  T* g = step.gradients ? step.gradients + product.weight.offset + at : product.scratch;
  kernels.weight_gradient({shape, panel, inputs.begin, inputs.end, product.rows, product.x,
                           product.x_stride, product.dy, product.dy_stride, g,
                           product.blocking.gradient_batch, step.cursor});
  if (step.update) step.update->apply(product.weight, at, g, inputs.size() * width);
}

/// Works out the thread's pieces of dW and updates by each at once, or leaves them in the step's
/// arena. The pieces of a group of panels come chunk by chunk, so that these use the same part of
/// x.
template <class T>
void weight_gradients(const kernels::KernelTable<T>& kernels, const Step<T>& step,
                      ThreadSlice slice, const WeightProduct<T>& product) {
  const std::int64_t inputs = product.weight.shape.rows;
  const std::int64_t all_panels = product.weight.shape.panels();
  const std::int64_t chunk = product.blocking.gradient_inputs;
  const std::int64_t group = product.blocking.group;
  const std::int64_t chunks = (inputs + chunk - 1) / chunk;
  const Range items = slice.range(all_panels * chunks);
  for (std::int64_t item = items.begin; item < items.end; ++item) {
    const std::int64_t first_panel = item / (chunks * group) * group;
    const std::int64_t panels = std::min(group, all_panels - first_panel);
    const std::int64_t in_group = item - first_panel * chunks;
    const std::int64_t first = in_group / panels * chunk;
    weight_gradient(kernels, step, product, first_panel + in_group % panels,
                    {first, std::min(inputs, first + chunk)});
  }
}

}  // namespace chainrule::engine

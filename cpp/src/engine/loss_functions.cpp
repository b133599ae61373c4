// SPDX-License-Identifier: Apache-2.0
// What can be asked of losses without a network.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "chainrule/error.hpp"
#include "chainrule/network.hpp"
#include "engine/input/gather.hpp"
#include "engine/instantiate.hpp"
#include "engine/stages/loss.hpp"
#include "engine/threads/team.hpp"
#include "kernels/dispatch.hpp"

namespace chainrule {
namespace {

/// A row-major array of the caller's as a padded tensor.
template <class T>
struct PaddedCopy {
  PaddedCopy(const T* rows, std::int64_t count, std::int64_t columns)
      : buffer(count * engine::padded<T>(columns)),
        tensor{buffer.data(), columns, engine::padded<T>(columns)} {
    for (std::int64_t i = 0; i < count && rows; ++i)
      std::copy_n(rows + i * columns, columns, tensor.row(i));
  }

  void copy_to(T* rows, std::int64_t count) const {
    for (std::int64_t i = 0; i < count; ++i)
      std::copy_n(tensor.row(i), tensor.columns, rows + i * tensor.columns);
  }

  engine::Buffer<T> buffer;
  engine::Tensor<T> tensor;
};

}  // namespace

// z: rows x columns of raw outputs, dz: null or the same for the gradient. It runs the stage that
// training runs, on one thread, so the numbers are those of a training step.
template <class T>
double loss_and_gradient(const Loss& loss, const T* z, std::int64_t rows, std::int64_t columns,
                         const TargetsView& y, T* dz) {
  if (rows < 1 || columns < 1) throw Error("outputs is empty");
  if (y.rows != rows) {
    throw Error("outputs has " + std::to_string(rows) + " rows but y has " +
                std::to_string(y.rows));
  }
  engine::LossStage<T>::check(loss, y, Shape(columns));
  engine::FunctionCalls calls(nullptr);
  engine::LossStage<T> stage(kernels::active<T>(), loss, 1.0, columns, rows, calls);
  stage.prepare(y);
  const PaddedCopy<T> outputs(z, rows, columns);
  const PaddedCopy<T> gradient(nullptr, dz ? rows : 0, columns);
  engine::Step<T> step;
  step.rows = rows;
  engine::run_team(1, [&](engine::Team team) {
    engine::ThreadContext context(team);
    stage.run(step, context, y, {}, outputs.tensor, dz ? gradient.tensor : engine::Tensor<T>{});
  });
  calls.rethrow();
  if (dz) gradient.copy_to(dz, rows);
  return stage.mean(rows).value();
}

// outputs: rows x columns, raw outputs that become what the loss calls predictions, in place.
template <class T>
void apply_link(const Loss& loss, T* outputs, std::int64_t rows, std::int64_t columns) {
  kernels::ActivationArgs<T> f{};
  switch (loss.link()) {
    case Loss::Link::identity:
      return;
    case Loss::Link::softmax:
      f.function.kind = kernels::ActivationKind::softmax;
      break;
    case Loss::Link::sigmoid:
      f.function.kind = kernels::ActivationKind::sigmoid;
      break;
    case Loss::Link::exponential:
      f.function.kind = kernels::ActivationKind::exponential;
      break;
  }
  if (rows < 1 || columns < 1) return;
  // The kernels work on padded rows, so the caller's go through a copy.
  const PaddedCopy<T> padded(outputs, rows, columns);
  f.rows = rows;
  f.columns = columns;
  f.stride = padded.tensor.stride;
  engine::run_team(1, [&](engine::Team) {
    kernels::active<T>().activation_forward(f, padded.tensor.data, padded.tensor.data);
  });
  padded.copy_to(outputs, rows);
}

// predictions: rows x columns, of which raw outputs become, in place.
template <class T>
void apply_inverse_link(const Loss& loss, T* predictions, std::int64_t rows, std::int64_t columns) {
  const Loss::Link link = loss.link();
  if (link == Loss::Link::identity) return;
  constexpr double kLeast = std::numeric_limits<float>::min();
  constexpr double kMost = 1.0 - std::numeric_limits<double>::epsilon() / 2;
  for (std::int64_t i = 0; i < rows * columns; ++i) {
    const double p = std::max(double{predictions[i]}, kLeast);  // p where it is NaN
    double z = std::log(p);
    if (link == Loss::Link::sigmoid) z -= std::log1p(-std::min(p, kMost));
    predictions[i] = static_cast<T>(z);
  }
}

#define CHAINRULE_MEMBERS(T)                                                           \
  template double loss_and_gradient(const Loss&, const T*, std::int64_t, std::int64_t, \
                                    const TargetsView&, T*);                           \
  template void apply_link(const Loss&, T*, std::int64_t, std::int64_t);               \
  template void apply_inverse_link(const Loss&, T*, std::int64_t, std::int64_t);
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

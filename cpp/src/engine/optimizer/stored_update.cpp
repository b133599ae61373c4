// SPDX-License-Identifier: Apache-2.0
#include "engine/optimizer/stored_update.hpp"

#include <algorithm>
#include <cmath>

namespace chainrule::engine {
namespace {

// torch.nn.utils.clip_grad_norm_ adds the same small number.
constexpr double kNormEpsilon = 1e-6;

}  // namespace

// Cuts every trained parameter into its panels, the pieces that threads share out. Each has a sum
// for each of its columns, so that norms are added up in one order, whichever thread had the piece.
template <class T>
StoredUpdate<T>::StoredUpdate(const kernels::KernelTable<T>& kernels,
                              const Parameters<T>& parameters)
    : kernels_(kernels) {
  std::int64_t sums = 0;
  for (const Parameter& p : parameters.list()) {
    if (!p.trained) continue;
    const kernels::PanelShape& s = p.shape;
    for (std::int64_t first = 0; first < s.columns; first += s.panel) {
      const std::int64_t width = std::min(s.panel, padded<T>(s.columns - first));
      pieces_.push_back({&p, first / s.panel, first * s.rows, width * s.rows, sums,
                         std::min(width, s.columns - first)});
      sums += width;
    }
  }
  sums_ = Buffer<T>(sums);
  wide_sums_ = Buffer<double>(sums);
  weight_sums_ = Buffer<double>(sums);
}

// The sum over the columns of all parameters in the order of the arena, without the padding. Every
// thread works it out for itself: that is cheaper than another barrier.
template <class T>
template <class S>
double StoredUpdate<T>::total(const Buffer<S>& sums) const {
  double total = 0.0;
  for (const Piece& piece : pieces_) {
    for (std::int64_t j = 0; j < piece.columns; ++j)
      total += static_cast<double>(sums.data()[piece.sums + j]);
  }
  return total;
}

// gradients: rows x width of the piece. The kernel's sums of squares once more in double, of
// numbers times a power of two: for gradients whose squares T cannot hold.
template <class T>
void StoredUpdate<T>::sum_wide_squares(const Piece& piece, const Update<T>& update,
                                       const T* gradients, double scale) {
  const Parameter& p = *piece.parameter;
  const T* g = gradients + p.offset + piece.first;
  const T* w = update.values + p.offset + piece.first;
  const std::int64_t width = piece.size / p.shape.rows;
  const auto l1 = static_cast<T>(p.spec.l1);
  const auto l2 = static_cast<T>(p.spec.l2);
  const T clip_value = update.rule.gradient.clip_value;
  double* sums = wide_sums_.data() + piece.sums;
  std::fill_n(sums, width, 0.0);
  for (std::int64_t row = 0; row < p.shape.rows; ++row) {
    for (std::int64_t j = 0; j < piece.columns; ++j) {
      const std::int64_t at = row * width + j;
      T v = g[at];
      if (l1 != T(0)) v += w[at] > T(0) ? l1 : w[at] < T(0) ? -l1 : T(0);
      if (l2 != T(0)) v += T(2) * l2 * w[at];
      if (clip_value != T(0) && !std::isnan(v)) v = std::clamp(v, -clip_value, clip_value);
      const double scaled = static_cast<double>(v) * scale;
      sums[j] += scaled * scaled;
    }
  }
}

// The norm of all gradients, with penalties and after clipping by value.
template <class T>
double StoredUpdate<T>::norm(ThreadContext& context, Range mine, const Update<T>& update,
                             const T* gradients, double clip_norm) {
  for (std::int64_t i = mine.begin; i < mine.end; ++i) {
    const Piece& piece = pieces_[static_cast<std::size_t>(i)];
    const Parameter& p = *piece.parameter;
    const std::int64_t at = p.offset + piece.first;
    kernels_.squared_column_sums(update.rule, p.shape, piece.panel, update.values + at,
                                 gradients + at, static_cast<T>(p.spec.l1),
                                 static_cast<T>(p.spec.l2), sums_.data() + piece.sums);
  }
  context.sync_for(Partition::columns);
  const double squares = total(sums_);
  // Squares beyond T's range are infinite, and below it they are zero: too little to matter beside
  // a sum above this bound, or where nothing so short is clipped.
  constexpr double least = sizeof(T) == 4 ? 0x1p-60 : 0x1p-900;
  const bool small = squares < least && clip_norm < 2.0 * kNormEpsilon;
  if (std::isfinite(squares) && !small) return std::sqrt(squares);
  // All threads come here, or none. A double holds the squares of all floats.
  const double scale = sizeof(T) == 4 ? 1.0 : small ? 0x1p600 : 0x1p-600;
  for (std::int64_t i = mine.begin; i < mine.end; ++i)
    sum_wide_squares(pieces_[static_cast<std::size_t>(i)], update, gradients, scale);
  context.sync_for(Partition::columns);
  return std::sqrt(total(wide_sums_)) / scale;
}

// Calls work(first, g, size) on the piece's gradients times `scale`, a row at a time unless it
// is 1.
template <class T>
template <class Work>
void StoredUpdate<T>::for_scaled(const Piece& piece, const T* gradients, T scale,
                                 const Work& work) const {
  const T* g = gradients + piece.parameter->offset + piece.first;
  if (scale == T(1)) {
    work(piece.first, g, piece.size);
    return;
  }
  alignas(64) T scaled[4 * kernels::kRowAlignment<T>];  // no panel is wider
  const std::int64_t width = piece.size / piece.parameter->shape.rows;
  for (std::int64_t first = 0; first < piece.size; first += width) {
    for (std::int64_t i = 0; i < width; ++i) scaled[i] = g[first + i] * scale;
    work(piece.first + first, scaled, width);
  }
}

// The trust ratio of a parameter from the norms of its weights and of its direction, over all of
// its pieces in their order.
template <class T>
double StoredUpdate<T>::scale_of(const Piece& piece, const Update<T>& update) const {
  double weights = 0.0;
  double directions = 0.0;
  for (const Piece& other : pieces_) {
    if (other.parameter != piece.parameter) continue;
    for (std::int64_t j = other.sums; j < other.sums + other.columns; ++j) {
      weights += weight_sums_.data()[j];
      directions += wide_sums_.data()[j];
    }
  }
  return step_scale(update.rule, std::sqrt(weights), std::sqrt(directions));
}

// Two passes: norms of weights and directions of all pieces, then the steps, whose length depends
// on the norms of whole parameters. LAMB works so.
template <class T>
void StoredUpdate<T>::run_whole(ThreadContext& context, Range mine, const Update<T>& update,
                                const T* gradients, T scale) {
  // Sums of the global norm that other threads may still read lie in the same memory.
  context.sync_for(Partition::columns);
  for (std::int64_t i = mine.begin; i < mine.end; ++i) {
    const Piece& piece = pieces_[static_cast<std::size_t>(i)];
    const std::int64_t width = piece.size / piece.parameter->shape.rows;
    double* weights = weight_sums_.data() + piece.sums;
    double* directions = wide_sums_.data() + piece.sums;
    std::fill_n(weights, width, 0.0);
    std::fill_n(directions, width, 0.0);
    for_scaled(piece, gradients, scale, [&](std::int64_t first, const T* g, std::int64_t size) {
      update.with_rule(*piece.parameter, [&](const kernels::UpdateRule<T>& rule) {
        kernels_.direction_sums(rule, update.arguments(*piece.parameter, first, g, size), width,
                                weights, directions);
      });
    });
  }
  context.sync_for(Partition::columns);
  const Parameter* parameter = nullptr;
  double factor = 1.0;
  for (std::int64_t i = mine.begin; i < mine.end; ++i) {
    const Piece& piece = pieces_[static_cast<std::size_t>(i)];
    if (piece.parameter != parameter) factor = scale_of(piece, update);
    parameter = piece.parameter;
    kernels::UpdateArgs<T> f = update.arguments(*parameter, piece.first, nullptr, piece.size);
    f.scale = static_cast<T>(factor);
    update.with_rule(*parameter, [&](const auto& rule) { kernels_.update(rule, f); });
  }
}

template <class T>
void StoredUpdate<T>::run(ThreadContext& context, const Update<T>& update, const T* gradients,
                          double clip_norm) {
  const Range mine = context.slice().range(static_cast<std::int64_t>(pieces_.size()));
  Update<T> own = update;
  context.sync_for(Partition::columns);
  T scale = T(1);
  if (clip_norm > 0.0) {
    const double length = norm(context, mine, update, gradients, clip_norm) + kNormEpsilon;
    double factor = std::min(1.0, clip_norm / length);
    // A factor that T cannot hold is applied in two steps.
    constexpr double least = sizeof(T) == 4 ? 0x1p-100 : 0x1p-900;
    if (factor < least) {
      scale = static_cast<T>(least);
      own.gradient_scale = least;
      own.rule.gradient.clip_value *= scale;
      factor = clip_norm / least / length;
    }
    own.rule.gradient.factor = static_cast<T>(factor);
  }
  if (own.optimizer->row().needs_whole_gradient)
    return run_whole(context, mine, own, gradients, scale);
  for (std::int64_t i = mine.begin; i < mine.end; ++i) {
    const Piece& piece = pieces_[static_cast<std::size_t>(i)];
    for_scaled(piece, gradients, scale, [&](std::int64_t first, const T* g, std::int64_t size) {
      own.apply(*piece.parameter, first, g, size);
    });
  }
}

template class StoredUpdate<float>;
template class StoredUpdate<double>;

}  // namespace chainrule::engine

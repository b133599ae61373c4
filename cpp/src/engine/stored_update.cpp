// SPDX-License-Identifier: Apache-2.0
#include "engine/stored_update.hpp"

#include <algorithm>
#include <cmath>

namespace chainrule::engine {

template <class T>
StoredUpdate<T>::StoredUpdate(const kernels::KernelTable<T>& kernels,
                              const Parameters<T>& parameters)
    : kernels_(kernels) {
  std::int64_t sums = 0;
  for (const Parameter& p : parameters.list()) {
    if (!p.spec.trainable) continue;
    const kernels::PanelShape& s = p.shape;
    for (std::int64_t first = 0; first < s.columns; first += s.panel) {
      const std::int64_t width = std::min(s.panel, padded<T>(s.columns - first));
      pieces_.push_back({&p, first / s.panel, first * s.rows, width * s.rows, sums,
                         std::min(width, s.columns - first)});
      sums += width;
    }
  }
  sums_ = Buffer<T>(sums);
}

template <class T>
double StoredUpdate<T>::norm() const {
  double total = 0.0;
  for (const Piece& piece : pieces_) {
    for (std::int64_t j = 0; j < piece.columns; ++j)
      total += static_cast<double>(sums_.data()[piece.sums + j]);
  }
  return std::sqrt(total);
}

template <class T>
void StoredUpdate<T>::run(Flow& flow, const Update<T>& update, const T* gradients,
                          double clip_norm) {
  const Range mine = flow.share().of(static_cast<std::int64_t>(pieces_.size()));
  Update<T> own = update;
  flow.enter(Split::columns);
  if (clip_norm > 0.0) {
    for (std::int64_t i = mine.begin; i < mine.end; ++i) {
      const Piece& piece = pieces_[static_cast<std::size_t>(i)];
      const Parameter& p = *piece.parameter;
      const std::int64_t at = p.offset + piece.first;
      kernels_.squared_column_sums(own.rule, p.shape, piece.panel, update.values + at,
                                   gradients + at, static_cast<T>(p.spec.l1),
                                   static_cast<T>(p.spec.l2), sums_.data() + piece.sums);
    }
    flow.enter(Split::columns);
    // torch.nn.utils.clip_grad_norm_ adds the same small number.
    own.rule.gradient_factor = static_cast<T>(std::min(1.0, clip_norm / (norm() + 1e-6)));
  }
  for (std::int64_t i = mine.begin; i < mine.end; ++i) {
    const Piece& piece = pieces_[static_cast<std::size_t>(i)];
    own.apply(*piece.parameter, piece.first, gradients + piece.parameter->offset + piece.first,
              piece.size);
  }
}

template class StoredUpdate<float>;
template class StoredUpdate<double>;

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/optimizer/update.hpp"
#include "engine/parameters.hpp"
#include "engine/stages/stage.hpp"

namespace chainrule::engine {

/// Updates from gradients that lie in an arena: where their global norm must be known first, where
/// the optimizer needs a parameter's whole gradient, and for steps by hand.
template <class T>
class StoredUpdate {
 public:
  StoredUpdate(const kernels::KernelTable<T>& kernels, const Parameters<T>& parameters);

  /// Every thread of a team calls it once per step.
  void run(ThreadContext& context, const Update<T>& update, const T* gradients, double clip_norm);

 private:
  /// One panel of one trainable parameter.
  struct Piece {
    const Parameter* parameter;
    std::int64_t panel;
    std::int64_t first, size;  // entries
    std::int64_t sums;         // where its column sums go
    std::int64_t columns;      // without padding
  };

  /// The 2-norm of all gradients as the optimizer sees them, for every thread of the team.
  double norm(ThreadContext& context, Range mine, const Update<T>& update, const T* gradients,
              double clip_norm);
  /// Adds up what the pieces' sums hold, in order.
  template <class S>
  double total(const Buffer<S>& sums) const;
  /// The squares of a piece's gradients times `scale`, summed down each column in double.
  void sum_wide_squares(const Piece& piece, const Update<T>& update, const T* gradients,
                        double scale);
  /// Calls work(entries of the piece, their gradients, size) for a piece by its gradients and
  /// penalties times `scale`, a power of two: at once, or where that is not 1 a row at a time.
  template <class Work>
  void for_scaled(const Piece& piece, const T* gradients, T scale, const Work& work) const;
  /// The update of a rule that needs whole gradients.
  void run_whole(ThreadContext& context, Range mine, const Update<T>& update, const T* gradients,
                 T scale);
  /// The factor of the parameter of a piece, from the sums of all of its pieces.
  double scale_of(const Piece& piece, const Update<T>& update) const;

  const kernels::KernelTable<T>& kernels_;
  std::vector<Piece> pieces_;
  Buffer<T> sums_;
  Buffer<double> wide_sums_;
  Buffer<double> weight_sums_;
};

}  // namespace chainrule::engine

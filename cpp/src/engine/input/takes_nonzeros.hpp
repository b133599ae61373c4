// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "engine/input/nonzero_mask.hpp"
#include "engine/input/sparse_input.hpp"
#include "engine/parameters.hpp"
#include "engine/threads/thread_context.hpp"

namespace chainrule::engine {

/// What the products of a step with `x` cost by either path of the input, in units of Cost.
struct PathCosts {
  double sparse;
  double dense;
};

/// What a stage implements that can work from the nonzeros of its `x` alone, given as lists or as a
/// mask. BatchInput decides for each call which of them there are, if any.
template <class T>
class TakesNonzeros {
 public:
  /// Costs of a step over `rows` rows, of whose entries the fraction `density` is nonzero.
  virtual PathCosts path_costs(std::int64_t rows, double density) const = 0;
  /// The matrix whose gradients are nonzero only for inputs that have nonzeros.
  virtual const Parameter* sparse_weight() const = 0;
  /// Whether each of `threads` threads updates just the parameters that it reads in the forward
  /// pass.
  virtual bool updates_what_it_reads(int threads) const = 0;

  /// The mask of x as one thread reads it, and the slice that transposes that mask.
  NonzeroMask<T>& mask_of(ThreadSlice slice) const {
    return mask[private_x_stride > 0 ? slice.index : 0];
  }
  ThreadSlice among_readers(ThreadSlice slice) const {
    return private_x_stride > 0 ? ThreadSlice{0, 1} : slice;
  }

  SparseInput<T>* sparse = nullptr;  // lists of the nonzeros of x, which is then not filled
  NonzeroMask<T>* mask = nullptr;    // of x, where its zeros are to be left out
  // Between the threads' private copies of x, each of which has its mask; 0: x is shared.
  std::int64_t private_x_stride = 0;

 protected:
  ~TakesNonzeros() = default;
};

}  // namespace chainrule::engine

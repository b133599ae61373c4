// SPDX-License-Identifier: Apache-2.0
// All kernels of one instruction set as one table; each isa_*.cpp defines its instruction set,
// includes this and exports it.
#pragma once

#include "kernels/activation.hpp"
#include "kernels/dropout.hpp"
#include "kernels/gather.hpp"
#include "kernels/loss.hpp"
#include "kernels/marked.hpp"
#include "kernels/math_loop.hpp"
#include "kernels/multiply.hpp"
#include "kernels/normalization.hpp"
#include "kernels/peak.hpp"
#include "kernels/reduce.hpp"
#include "kernels/row.hpp"
#include "kernels/sparse.hpp"
#include "kernels/update.hpp"

namespace {

template <class T>
constexpr KernelTable<T> make_table(const char* name) {
  KernelTable<T> t{};
  t.name = name;
  t.panel = kPanelColumns<T>;
  t.sparse_panels = kSparsePanels;
  t.forward = forward<T>;
  t.forward_row = forward_row<T>;
  t.weight_gradient = weight_gradient<T>;
  t.input_gradient = input_gradient<T>;
  t.transpose = transpose<T>;
  t.column_sums = column_sums<T>;
  t.activation_forward = activation_forward<T>;
  t.activation_backward = activation_backward<T>;
  t.loss = loss<T>;
  t.update = update<T>;
  t.squared_column_sums = squared_column_sums<T>;
  t.gather = gather<T>;
  t.compress = compress<T>;
  t.sparse_forward = sparse_forward<T>;
  t.sparse_gradient = sparse_gradient<T>;
  t.mark = mark<T>;
  t.turn_marks = turn_marks;
  t.marked_forward = marked_forward<T>;
  t.marked_gradient = marked_gradient<T>;
  t.affine = affine<T>;
  t.multiply = multiply<T>;
  t.batch_norm_forward = batch_norm_forward<T>;
  t.batch_norm_inference = batch_norm_inference<T>;
  t.batch_norm_backward = batch_norm_backward<T>;
  t.layer_norm_forward = layer_norm_forward<T>;
  t.layer_norm_backward = layer_norm_backward<T>;
  t.affine_gradient = affine_gradient<T>;
  t.dropout_factors = dropout_factors<T>;
  t.math = math_array<T>;
  t.tree_sum = tree_sum<T>;
  t.fma_chains = fma_chains<T>;
  return t;
}

}  // namespace

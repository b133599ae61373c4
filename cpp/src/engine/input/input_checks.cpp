// SPDX-License-Identifier: Apache-2.0
// Whether rows are such as a network takes.
#include "engine/input/categories.hpp"
#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"
#include "engine/sizes.hpp"

namespace chainrule {

template <class T>
void Network<T>::State::check_input(const RowsView& x) const {
  if (x.rows < 1) throw Error("x is empty: it has " + std::to_string(x.rows) + " rows");
  if (x.columns != inputs) {
    throw Error("x has " + std::to_string(x.columns) + " columns; the network expects " +
                std::to_string(inputs));
  }
}

template <class T>
void Network<T>::State::check_table(const RowsView& x) const {
  check_input(x);
  if (x.compressed())
    throw Error("x is sparse, which this does not take: training, evaluation and prediction do");
  check_categories(x);
}

template <class T>
void Network<T>::State::check_batch(std::int64_t rows) const {
  for (const Node& node : graph.nodes()) {
    if (!node.layer) continue;
    const Layer& layer = **node.layer;
    const std::int64_t least = layer.least_training_rows();
    if (rows >= least || rows * node.shape.positions() >= least) continue;
    throw Error("layer " + node.name + " (" + std::string(layer.kind()) +
                ") cannot train on batches of " + std::to_string(rows) +
                (rows == 1 ? " row" : " rows") + ", whose statistics say nothing: use a " +
                "batch_size of " + std::to_string(least) + " or more and as many rows, or a " +
                "LayerNormalization in its place");
  }
}

template <class T>
void Network<T>::State::check_categories(const RowsView& x,
                                         const std::vector<std::string>& columns) const {
  if (!categories.empty() && !x.compressed()) engine::check_categories(x, categories, "x", columns);
}

template <class T>
void Network<T>::State::check_no_overlap(const RowsView& x, const char* name, const T* to,
                                         std::int64_t columns, const char* what) {
  if (to && overlaps(x, to, to + engine::checked_product(x.rows, columns)))
    throw Error(std::string(what) + " must not lie in the memory of " + name);
}

#define CHAINRULE_MEMBERS(T)                                                                \
  template void Network<T>::State::check_input(const RowsView&) const;                      \
  template void Network<T>::State::check_table(const RowsView&) const;                      \
  template void Network<T>::State::check_batch(std::int64_t) const;                         \
  template void Network<T>::State::check_categories(const RowsView&,                        \
                                                    const std::vector<std::string>&) const; \
  template void Network<T>::State::check_no_overlap(const RowsView&, const char*, const T*, \
                                                    std::int64_t, const char*);
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

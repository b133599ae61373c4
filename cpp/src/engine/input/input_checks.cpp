// SPDX-License-Identifier: Apache-2.0
// Checks that rows are such as a network takes.
#include "chainrule/names.hpp"
#include "engine/input/categories.hpp"
#include "engine/input/image_augmenter.hpp"
#include "engine/input/lengths.hpp"
#include "engine/instantiate.hpp"
#include "engine/network_state.hpp"
#include "engine/sizes.hpp"

namespace chainrule {

void engine::check_row_numbers(std::span<const std::int64_t> list, std::int64_t rows,
                               const char* name) {
  for (std::size_t i = 0; i < list.size(); ++i)
    if (list[i] < 0 || list[i] >= rows)
      throw Error(std::string(name) + "[" + std::to_string(i) + "] is " + std::to_string(list[i]) +
                  ", which is no row of x: those are 0.." + std::to_string(rows - 1));
}

// Errors call the rows as Python callers wrote them: x, or x['name'] where there are several.
template <class T>
std::string Network<T>::State::input_name(std::size_t input) const {
  if (graph.inputs().size() == 1) return "x";
  return "x['" + graph.node(graph.inputs()[input]).name + "']";
}

template <class T>
std::string Network<T>::State::output_name(std::size_t output) const {
  if (graph.outputs().size() == 1) return "y";
  return "y['" + graph.node(graph.outputs()[output]).name + "']";
}

// Shapes alone, which takes no time: each input has its columns, and all have as many rows.
template <class T>
void Network<T>::State::check_input(const Inputs& x) const {
  const std::vector<std::int64_t>& nodes = graph.inputs();
  if (x.size() != nodes.size())
    throw Error("the network has " + std::to_string(nodes.size()) + " inputs, got " +
                std::to_string(x.size()));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::int64_t columns = nodes.size() == 1 ? inputs : graph.node(nodes[i]).shape.size();
    if (x[i].rows < 1)
      throw Error(input_name(i) + " is empty: it has " + std::to_string(x[i].rows) + " rows");
    if (x[i].rows != x[0].rows)
      throw Error(input_name(i) + " has " + std::to_string(x[i].rows) + " rows and " +
                  input_name(0) + " has " + std::to_string(x[0].rows));
    if (x[i].columns != columns)
      throw Error(input_name(i) + " has " + std::to_string(x[i].columns) +
                  " columns; the network expects " + std::to_string(columns));
  }
}

// For calls that read tables alone: backpropagation by hand, adaptation, second derivatives.
template <class T>
void Network<T>::State::check_table(const Inputs& x) const {
  check_input(x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i].compressed())
      throw Error(input_name(i) +
                  " is sparse, which this does not take: training, evaluation and prediction do");
  }
  check_categories(x);
}

// Statistics over one row are that row: a BatchNormalization would give zeros for it. Positions
// count as rows, so one row of shape (time, features) may be enough.
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

// The rows of each input that holds lengths or categories; compressed rows of the latter are
// refused where the path is chosen.
template <class T>
void Network<T>::State::check_categories(const Inputs& x,
                                         const std::vector<std::string>& columns) const {
  for (std::size_t i = 0; x.size() > 1 && i < x.size(); ++i) {
    if (const std::int64_t most = engine::most_length(graph, graph.inputs()[i]))
      engine::check_lengths(x[i], most, input_name(i));
  }
  if (categories.empty()) return;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!input_categories[i].empty() && !x[i].compressed())
      engine::check_categories(x[i], input_categories[i], missing_columns[i], input_name(i).c_str(),
                               columns);
  }
}

namespace {

void check_image_input(const Graph& graph, const std::string& name) {
  std::vector<std::string> names;
  for (const std::size_t input : graph.inputs()) {
    const Node& node = graph.node(input);
    names.push_back(node.name);
    if (node.name != name) continue;
    if (is_image(node.shape)) return;
    throw Error("augment cannot change input " + name + " of shape " + node.shape.text() +
                ": images have the shape (height, width) or (height, width, channels)");
  }
  throw Error("augment: " + unknown_name("input", name, names));
}

}  // namespace

// Without augmentations everything goes with them. Rows of a file are no compressed ones.
template <class T>
void Network<T>::State::check_augment(const Inputs& x, const Augmentations& augmentations) const {
  if (augmentations.empty()) return;
  for (const Augmentation& a : augmentations) {
    a.check();
    if (a.input) check_image_input(graph, *a.input);
  }
  bool has_images = false;
  for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
    const Node& node = graph.node(graph.inputs()[i]);
    if (!is_image(node.shape)) continue;
    has_images = true;
    if (engine::of_input(augmentations, node.name).empty()) continue;
    if (!input_categories[i].empty())
      throw Error("augment cannot change " + input_name(i) + ", which holds categories");
    if (i < x.size() && x[i].compressed())
      throw Error("augment needs images, but " + input_name(i) + " is sparse");
  }
  if (has_images) return;
  const Shape& first = graph.node(graph.inputs()[0]).shape;
  throw Error(
      "augment needs an input of images, of shape (height, width) or (height, width, "
      "channels), got one of shape " +
      first.text());
}

template <class T>
void Network<T>::check_augment(const Inputs& x, const Augmentations& augmentations) const {
  const engine::Reading guard(*state_);
  state_->check_augment(x, augmentations);
}

namespace {

// `to`: rows x columns that a call is about to write. Threads write their rows while others still
// read x, so the two must not share memory.
template <class T>
bool is_overwritten(const RowsView& x, const T* to, std::int64_t rows, std::int64_t columns) {
  return to && overlaps(x, to, to + engine::checked_product(rows, columns));
}

Error overlap_error(const char* what, const std::string& name) {
  return Error(std::string(what) + " must not lie in the memory of " + name);
}

}  // namespace

// One view, the inputs, and the inputs with the targets of a call.
template <class T>
void Network<T>::State::check_no_overlap(const RowsView& x, const char* name, const T* to,
                                         std::int64_t columns, const char* what) {
  if (is_overwritten(x, to, x.rows, columns)) throw overlap_error(what, name);
}

template <class T>
void Network<T>::State::check_no_overlap(const Inputs& x, const T* to, std::int64_t columns,
                                         const char* what) const {
  check_no_overlap(x, {}, to, x.rows(), columns, what);
}

template <class T>
void Network<T>::State::check_no_overlap(const Inputs& x, const Targets& y, const T* to,
                                         std::int64_t rows, std::int64_t columns,
                                         const char* what) const {
  for (std::size_t i = 0; i < x.size(); ++i)
    if (is_overwritten(x[i], to, rows, columns)) throw overlap_error(what, input_name(i));
  for (std::size_t i = 0; i < y.size(); ++i)
    if (!y[i].labels && is_overwritten(y[i].values, to, rows, columns))
      throw overlap_error(what, output_name(i));
}

#define CHAINRULE_MEMBERS(T)                                                                 \
  template std::string Network<T>::State::input_name(std::size_t) const;                     \
  template std::string Network<T>::State::output_name(std::size_t) const;                    \
  template void Network<T>::State::check_input(const Inputs&) const;                         \
  template void Network<T>::State::check_table(const Inputs&) const;                         \
  template void Network<T>::State::check_batch(std::int64_t) const;                          \
  template void Network<T>::State::check_categories(const Inputs&,                           \
                                                    const std::vector<std::string>&) const;  \
  template void Network<T>::State::check_augment(const Inputs&, const Augmentations&) const; \
  template void Network<T>::check_augment(const Inputs&, const Augmentations&) const;        \
  template void Network<T>::State::check_no_overlap(const RowsView&, const char*, const T*,  \
                                                    std::int64_t, const char*);              \
  template void Network<T>::State::check_no_overlap(const Inputs&, const T*, std::int64_t,   \
                                                    const char*) const;                      \
  template void Network<T>::State::check_no_overlap(                                         \
      const Inputs&, const Targets&, const T*, std::int64_t, std::int64_t, const char*) const;
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule

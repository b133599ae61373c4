// SPDX-License-Identifier: Apache-2.0
// Which stages of a plan go backward, and what memory the values and gradients of its tensors have:
// each from the first to the last moment at which it is needed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/input/reads_rows.hpp"
#include "engine/instantiate.hpp"
#include "engine/plan.hpp"

namespace chainrule::engine {

// A stage goes backward if it has trained parameters or reads something that wants a gradient; then
// what it writes wants one. Of inputs it is the caller who wants it.
template <class T>
void Plan<T>::find_gradients() {
  if (!options_.backward) return;
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    tensors_[graph_.inputs[i]].wants_gradient =
        options_.input_gradient && inputs_[i]->passes_gradient();
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    const StageNode<T>& node = graph_.stages[i];
    ops_[i].backward =
        node.trained || std::any_of(node.reads.begin(), node.reads.end(), [&](std::size_t tensor) {
          return tensors_[tensor].wants_gradient;
        });
    tensors_[node.writes].wants_gradient = ops_[i].backward;
  }
}

/// Whether only the section of the stage that writes it reads a tensor.
template <class T>
bool Plan<T>::stays_in_section(std::size_t writer) const {
  const StageTensor& tensor = graph_.tensors[graph_.stages[writer].writes];
  const Op& op = ops_[writer];
  return op.in_blocks && !tensor.is_result &&
         std::all_of(tensor.readers.begin(), tensor.readers.end(),
                     [&](std::size_t reader) { return ops_[reader].section == op.section; });
}

/// Whether the backward pass reads a tensor that stays in its section.
template <class T>
bool Plan<T>::is_read_again(std::size_t writer) const {
  const StageTensor& tensor = graph_.tensors[graph_.stages[writer].writes];
  return (ops_[writer].backward && ops_[writer].in_blocks->reads_y_again()) ||
         std::any_of(tensor.readers.begin(), tensor.readers.end(), [&](std::size_t reader) {
           return ops_[reader].backward && ops_[reader].in_blocks->reads_x_again();
         });
}

/// What the backward pass may read, or the caller behind the forward pass, stays to the end. What
/// only the stages of a section need in the forward pass has memory for a block of rows.
template <class T>
void Plan<T>::allocate_values() {
  std::vector<TensorLife<T>> lives;
  const bool keep = options_.backward || options_.keep_values;
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    const StageNode<T>& node = graph_.stages[i];
    const StageTensor& tensor = graph_.tensors[node.writes];
    if (!tensors_[node.writes].has_memory) continue;
    // Some write to it while a batch is read.
    const bool early = dynamic_cast<ReadsRows<T>*>(node.stage.get()) != nullptr;
    std::int64_t last = forward_moment(i);
    for (const std::size_t reader : tensor.readers) last = std::max(last, forward_moment(reader));
    const bool passes = !options_.keep_values && stays_in_section(i) && !is_read_again(i);
    if (passes) {
      Section& section = sections_[ops_[i].section];
      section.passes_values = true;
      tensors_[node.writes].y.block = section.rows * tensor.positions;
    }
    lives.push_back({&tensors_[node.writes].y, early ? 0 : forward_moment(i),
                     (keep && !passes) || tensor.is_result ? last_moment() : last});
  }
  value_memory_.provide(lives);
}

/// Those of what a stage with parameters gives stay until these have got theirs. Where a sum passes
/// a gradient on as it is, nothing is copied: an only reader's input shares its memory, and of
/// several readers the next one writes, to which it is added. What only the stages of a section
/// need has memory for a block of rows.
template <class T>
void Plan<T>::allocate_gradients() {
  if (!options_.backward) return;
  constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::vector<TensorLife<T>> lives;
  std::vector<std::size_t> owner(tensors_.size(), none);   // the tensor whose memory it is
  std::vector<std::size_t> life(tensors_.size(), none);    // of an owner
  std::vector<std::size_t> seen(tensors_.size(), 0);       // readers that the backward pass came to
  std::vector<std::size_t> passed(tensors_.size(), none);  // the sum that passed a gradient on
  std::vector<bool> whole(tensors_.size(), false);         // of an owner: others need it as well
  const auto own = [&](std::size_t tensor, std::int64_t from, std::int64_t to) {
    owner[tensor] = tensor;
    life[tensor] = lives.size();
    tensors_[tensor].dy = tensors_[tensor].y;
    tensors_[tensor].dy.block = 0;
    lives.push_back({&tensors_[tensor].dy, from, to});
  };
  const auto keep = [&](std::size_t tensor, std::int64_t to) {
    std::int64_t& end = lives[life[owner[tensor]]].to;
    end = std::max(end, to);
  };
  // Where nothing writes to it, the gradient of an input stays zero.
  for (const std::size_t input : graph_.inputs)
    if (options_.input_gradient) own(input, -1, last_moment());
  // In the order of the backward pass. Where a tensor has several readers, `first` is the one that
  // the pass comes to first, unless a loss has written the gradient before.
  for (std::size_t i = ops_.size(); i-- > 0;) {
    const StageNode<T>& node = graph_.stages[i];
    const StageTensor& tensor = graph_.tensors[node.writes];
    Op& op = ops_[i];
    if (op.backward || tensor.is_result) {
      // It shares no memory with what a sum passed on, so it has its own: from the loss on if it is
      // a result, otherwise from the reader on that the backward pass comes to first.
      if (owner[node.writes] == none)
        own(node.writes, tensor.is_result ? loss_moment() : backward_moment(tensor.readers.back()),
            0);
      keep(node.writes, node.trained ? last_moment() : backward_moment(i));
      if (!stays_in_section(i)) whole[owner[node.writes]] = true;
    }
    const auto* joins = dynamic_cast<const Joins<T>*>(node.stage.get());
    op.to_add.resize(node.reads.size());
    op.passes.resize(node.reads.size());
    for (std::size_t j = 0; j < node.reads.size(); ++j) {
      const std::size_t t = node.reads[j];
      if (!op.backward || !tensors_[t].wants_gradient) continue;
      const StageTensor& read = graph_.tensors[t];
      const bool first = seen[t]++ == 0 && !read.is_result;
      const bool alone = read.readers.size() == 1;
      if (first && joins && joins->passes_gradient(j) && (!alone || owner[t] == none)) {
        op.passes[j] = true;
        // The only reader's gradient is dy itself: no memory. With more readers dy waits for the
        // next of them.
        if (alone) {
          owner[t] = owner[node.writes];
        } else {
          passed[t] = i;
        }
      } else if (passed[t] != none) {
        op.adds = true;
        // This reader writes, and the gradient that was passed on is added, which has to live until
        // then.
        const std::size_t sum = graph_.stages[passed[t]].writes;
        op.passed.push_back({sum, t});
        keep(sum, backward_moment(i));
        if (ops_[passed[t]].section != op.section) whole[owner[sum]] = true;
        passed[t] = none;
      } else if (!first) {
        op.adds = true;
        // Another reader has written already: this one writes to memory that lives for the one
        // addition.
        op.to_add[j] = tensors_[t].y;
        op.to_add[j].block = op.in_blocks ? sections_[op.section].rows * read.positions : 0;
        lives.push_back({&op.to_add[j], backward_moment(i), backward_moment(i)});
      }
    }
  }
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    const std::size_t tensor = graph_.stages[i].writes;
    if (owner[tensor] != tensor || whole[tensor]) continue;
    const Section& section = sections_[ops_[i].section];
    tensors_[tensor].dy.block = section.rows * graph_.tensors[tensor].positions;
    lives[life[tensor]].to = std::min(lives[life[tensor]].to, backward_moment(section.first));
  }
  gradient_memory_.provide(lives);
  for (std::size_t t = 0; t < tensors_.size(); ++t)
    if (owner[t] != none) tensors_[t].dy = tensors_[owner[t]].dy;
  if (std::any_of(graph_.stages.begin(), graph_.stages.end(),
                  [](const StageNode<T>& node) { return node.shares; }))
    shared_gradients_ = Buffer<T>(parameters_.arena_size());
}

#define CHAINRULE_MEMBERS(T)                \
  template void Plan<T>::find_gradients();  \
  template void Plan<T>::allocate_values(); \
  template void Plan<T>::allocate_gradients();
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule::engine

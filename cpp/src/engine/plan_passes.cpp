// SPDX-License-Identifier: Apache-2.0
// The passes of a step through the stages, and which of them it goes through block by block:
//
//   rows of the batch   conv   pool   relu  |  dense          a section of three stages, and one
//     0 ...  7           1      2      3    |                 of a single stage, which is given
//     8 ... 15           4      5      6    |   10            all rows
//    16 ... 23           7      8      9    |
//
// What the stages of a section make of a block lies in a core's L2 when the next one reads it. The
// backward pass sums the gradients of the section's parameters in the same way, block by block in
// the order of the rows, so that no bit depends on where blocks end.
#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>
#include <utility>

#include "engine/cache.hpp"
#include "engine/instantiate.hpp"
#include "engine/plan.hpp"
#include "engine/threads/team.hpp"

namespace chainrule::engine {

/// The stage, if it can be part of a section.
template <class T>
WorksInBlocks<T>* Plan<T>::block_worker(std::size_t stage) const {
  const Op& op = ops_[stage];
  if (op.input || op.done_by_input) return nullptr;
  return dynamic_cast<WorksInBlocks<T>*>(graph_.stages[stage].stage.get());
}

/// What the stages write of one row of the batch, forward and back.
template <class T>
std::int64_t Plan<T>::row_bytes(const Section& section) const {
  std::int64_t numbers = 0;
  for (std::size_t i = section.first; i < section.last; ++i) {
    const Tensor<T>& y = tensors_[graph_.stages[i].writes].y;
    numbers += (ops_[i].backward ? 2 : 1) * y.positions * y.stride;
  }
  return numbers * std::int64_t{sizeof(T)};
}

// Neighbours that all work in blocks are a section, where rows have several positions: otherwise
// there is little to keep in a cache. Dual numbers are for small networks.
template <class T>
void Plan<T>::find_sections() {
  for (std::size_t first = 0; first < ops_.size(); first = sections_.back().last) {
    Section section{first, first + 1};
    bool has_positions = false;
    std::size_t end = first;
    for (; std::is_floating_point_v<T> && end < ops_.size() && block_worker(end); ++end) {
      has_positions |= tensors_[graph_.stages[end].writes].y.positions > 1;
      section.is_trained |= graph_.stages[end].trained;
      section.prepares_forward |= block_worker(end)->prepares_forward();
    }
    if (has_positions && (section.is_trained || end > first + 1)) {
      section.last = end;
      const std::int64_t bytes = std::max<std::int64_t>(1, row_bytes(section));
      const std::int64_t in_l2 = std::max<std::int64_t>(1, cache_sizes().l2 / 2 / bytes);
      section.rows = std::min(options_.batch_size, options_.threads * in_l2);
      if (section.is_trained) section.locks = std::make_unique<TicketLocks>(options_.threads);
    }
    for (std::size_t i = first; i < section.last; ++i) {
      ops_[i].section = sections_.size();
      if (section.rows > 0) ops_[i].in_blocks = block_worker(i);
    }
    sections_.push_back(std::move(section));
  }
}

// A stage by itself waits at the barrier only if it, or the one before, owns columns. The last wait
// is for the results, which their rows' threads read next.
template <class T>
void Plan<T>::forward(ThreadContext& context, const Step<T>& step) {
  if (context.first_thread()) last_step_ = step;
  for (const Section& section : sections_) {
    if (section.rows > 0) {
      forward_blocks(context, step, section);
      continue;
    }
    BatchInput<T>* input = ops_[section.first].input;
    Stage<T>& stage = *graph_.stages[section.first].stage;
    if (ops_[section.first].done_by_input) continue;
    if (input) {
      input->sync_for(context, stage.partition());
    } else {
      context.sync_for(stage.partition());
    }
    stage.forward(step, context);
    if (input) input->transpose(step, context.slice());
  }
  context.sync_for(Partition::rows);
}

/// The step with the rows of a block that a thread owns.
template <class T>
Step<T> Plan<T>::block_of(const Step<T>& step, const Section& section, std::int64_t begin,
                          ThreadSlice slice) const {
  Step<T> block = step;
  const Range own = slice.range(std::min(section.rows, step.rows - begin));
  block.own = {begin + own.begin, begin + own.end};
  return block;
}

// All threads share out each block, since the tensors of the section have memory for one. A thread
// so owns other rows than before and behind the section, for which it waits as if it owned columns.
// Of one block after the other it owns the same memory, but of a last one with fewer rows.
template <class T>
void Plan<T>::forward_blocks(ThreadContext& context, const Step<T>& step, const Section& section) {
  if (section.prepares_forward) {
    context.barrier();  // no thread still uses what was prepared for the last step
    for (std::size_t i = section.first; i < section.last; ++i)
      ops_[i].in_blocks->prepare_forward(context.slice());
  }
  context.sync_for(Partition::columns);
  for (std::int64_t begin = 0; begin < step.rows; begin += section.rows) {
    if (begin > 0 && begin + section.rows > step.rows) context.sync_for(Partition::columns);
    const Step<T> block = block_of(step, section, begin, context.slice());
    for (std::size_t i = section.first; i < section.last; ++i)
      graph_.stages[i].stage->forward(block, context);
  }
}

// From dy of the results to dx of what wants it.
template <class T>
void Plan<T>::backward(ThreadContext& context, const Step<T>& step) {
  for (auto section = sections_.rbegin(); section != sections_.rend(); ++section) {
    if (section->rows > 0) {
      backward_blocks(context, step, *section);
    } else if (ops_[section->first].backward) {
      context.sync_for(graph_.stages[section->first].stage->backward_partition());
      backward_stage(context, step, section->first);
    }
  }
}

// Gradients are added right behind the stage that gives them, so a tensor's sum is complete when
// the stage that made the tensor is reached. Each thread adds rows, so it waits first where the
// stage's threads own columns.
template <class T>
void Plan<T>::backward_stage(ThreadContext& context, const Step<T>& step, std::size_t stage) {
  graph_.stages[stage].stage->backward(step, context);
  if (!ops_[stage].adds) return;
  if (!step.own) context.sync_for(Partition::rows);
  add_gradients(step.rows_of(context.slice()), stage);
}

// As forward_blocks. The gradients of parameters are sums over the rows in their order, and each
// thread adds what its own rows give, which lie in its caches: a part of the gradients goes from
// thread to thread, in the order of their rows, while they work on other parts or are a block
// ahead.
//
//   thread 0   back 0 | part 0 | part 1 | back 1 | part 0 | part 1 | back 2 ...
//   thread 1   back 0 |        | part 0 | part 1 | back 1 | part 0 | part 1 ...
template <class T>
void Plan<T>::backward_blocks(ThreadContext& context, const Step<T>& step, const Section& section) {
  const ThreadSlice slice = context.slice();
  for (std::size_t i = section.first; i < section.last; ++i)
    if (ops_[i].backward) ops_[i].in_blocks->prepare_backward(slice);
  if (section.is_trained && context.first_thread()) section.locks->restart();
  context.sync_for(Partition::columns);
  auto ticket = static_cast<std::uint32_t>(slice.index);
  for (std::int64_t begin = 0; begin < step.rows; begin += section.rows) {
    if (begin > 0 && begin + section.rows > step.rows) context.sync_for(Partition::columns);
    const Step<T> block = block_of(step, section, begin, slice);
    for (std::size_t i = section.last; i-- > section.first;)
      if (ops_[i].backward) backward_stage(context, block, i);
    for (int part = 0; section.is_trained && part < slice.count; ++part) {
      section.locks->acquire(part, ticket);
      for (std::size_t i = section.last; i-- > section.first;)
        if (graph_.stages[i].trained)
          ops_[i].in_blocks->sum_gradients(*block.own, {part, slice.count});
      section.locks->release(part, ticket);
    }
    ticket += static_cast<std::uint32_t>(slice.count);
  }
}

/// Whether the stage's output in these rows of the batch holds a value that is not finite. A tensor
/// whose input keeps bytes is not filled, and bytes are finite.
template <class T>
bool Plan<T>::is_bad(std::size_t stage, Range rows) const {
  const Tensor<T>& y = tensors_[graph_.stages[stage].writes].y;
  const BatchInput<T>* input = ops_[stage].done_by_input;
  if (!y.data || (input && input->has_bytes())) return false;
  for (std::int64_t r = rows.begin * y.positions; r < rows.end * y.positions; ++r)
    for (std::int64_t j = 0; j < y.columns; ++j)
      if (!std::isfinite(y.row(r)[j])) return true;
  return false;
}

// Stages come in topological order, so the first bad tensor is where it began. A section whose
// tensors are gone goes forward once more, on one thread.
template <class T>
std::int64_t Plan<T>::first_bad_layer(std::int64_t rows) {
  for (const Section& section : sections_) {
    std::size_t first = section.last;
    const auto look = [&](Range some) {
      for (std::size_t i = section.first; i < first; ++i)
        if (is_bad(i, some)) first = i;
    };
    if (section.passes_values) {
      run_team(1, [&](Team team) {
        ThreadContext context(team);
        for (std::int64_t begin = 0; begin < rows; begin += section.rows) {
          const Step<T> block = block_of(last_step_, section, begin, context.slice());
          for (std::size_t i = section.first; i < section.last; ++i)
            graph_.stages[i].stage->forward(block, context);
          look(*block.own);
        }
      });
    } else {
      look({0, rows});
    }
    if (first < section.last) return graph_.stages[first].stage->layer;
  }
  return -1;
}

#define CHAINRULE_MEMBERS(T)                                       \
  template void Plan<T>::find_sections();                          \
  template void Plan<T>::forward(ThreadContext&, const Step<T>&);  \
  template void Plan<T>::backward(ThreadContext&, const Step<T>&); \
  template std::int64_t Plan<T>::first_bad_layer(std::int64_t);
CHAINRULE_INSTANTIATE(CHAINRULE_MEMBERS)
#undef CHAINRULE_MEMBERS

}  // namespace chainrule::engine

// SPDX-License-Identifier: Apache-2.0
// Predictions that neither wait nor allocate: every caller has its own memory, and new weights come
// by a hand-off that a reader takes with one exchange of a pointer.
#include "chainrule/predictor.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/inference/inference_plan.hpp"
#include "engine/inference/latest_value.hpp"
#include "engine/input/categories.hpp"
#include "engine/network_state.hpp"
#include "engine/threads/arithmetic_mode.hpp"
#include "model/lambda.hpp"

namespace chainrule {
namespace {

using engine::InferencePlan;

/// What is left to do behind a network whose last activation is `last`.
kernels::ActivationKind remaining(Loss::Link link, Activation::Kind last) {
  switch (link) {
    case Loss::Link::softmax:
      if (last != Activation::Kind::softmax) return kernels::ActivationKind::softmax;
      break;
    case Loss::Link::sigmoid:
      if (last != Activation::Kind::sigmoid) return kernels::ActivationKind::sigmoid;
      break;
    case Loss::Link::exponential:
      return kernels::ActivationKind::exponential;
    case Loss::Link::identity:
      break;
  }
  return kernels::ActivationKind::linear;
}

/// The plan with these weights, for the initialiser of State.
template <class T>
std::unique_ptr<InferencePlan<T>> copied(std::unique_ptr<InferencePlan<T>> set,
                                         const engine::Buffer<T>& values) {
  set->copy_from(values);
  return set;
}

}  // namespace

// What all callers share. Everything but the weights is constant; these are handed on by
// LatestValue, so a reader never waits for a writer.
template <class T>
struct Predictor<T>::State {
  State(const typename Network<T>::State& network, Loss::Link link_,
        const Quantization& quantization_, bool streams_)
      : graph(network.graph),
        inputs(network.inputs),
        outputs(network.outputs),
        kernels(network.kernels),
        quantization(quantization_),
        streams(streams_),
        weights(copied(make_set(), network.parameters.values)),
        link(link_),
        categories(network.categories) {
    for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
      const auto columns = static_cast<std::size_t>(graph.node(graph.inputs()[i]).shape.size());
      missing.insert(missing.end(), network.missing_columns[i].begin(),
                     network.missing_columns[i].end());
      if (network.missing_columns[i].empty()) missing.insert(missing.end(), columns, false);
    }
    if (link != Loss::Link::identity && graph.outputs().size() > 1)
      throw Error("a predictor of several outputs gives them as they are, without a link");
  }

  /// An empty plan, for weights that are copied into it. A Lambda could neither be const nor
  /// promise not to allocate.
  std::unique_ptr<InferencePlan<T>> make_set() const {
    model::refuse_lambdas(graph, "a Predictor");
    return std::make_unique<InferencePlan<T>>(kernels, graph, quantization, streams);
  }

  const Graph graph;
  const std::int64_t inputs;
  const std::int64_t outputs;
  const kernels::KernelTable<T>& kernels;
  const Quantization quantization;
  const bool streams;  // its rows are frames, and its scratches states, of a StreamingPredictor
  engine::LatestValue<InferencePlan<T>> weights;
  const Loss::Link link;
  const std::vector<std::int64_t> categories;  // of each column of x; empty where it holds none
  std::vector<bool> missing;                   // whether NaN may stand in each
};

template <class T>
struct Predictor<T>::Shared {
  const std::shared_ptr<State> state;
};

// What belongs to one caller: its place in the hand-off of weights, and memory for `rows` rows.
template <class T>
struct Predictor<T>::Scratch::State {
  State(std::shared_ptr<typename Predictor<T>::State> predictor_, std::int64_t rows)
      : predictor(std::move(predictor_)),
        reader(predictor->weights),
        workspace(reader.acquire().workspace(rows)),
        link{{remaining(predictor->link, reader.acquire().last_activation()), {}},
             rows,
             predictor->outputs,
             reader.acquire().results().front().stride} {}

  const std::shared_ptr<typename Predictor<T>::State> predictor;
  typename engine::LatestValue<InferencePlan<T>>::Reader reader;
  engine::InferWorkspace<T> workspace;
  kernels::ActivationArgs<T> link;
};

template <class T>
Predictor<T>::Scratch::Scratch(const Predictor& predictor, std::int64_t rows) {
  if (rows < 1) throw Error("rows must be >= 1, got " + std::to_string(rows));
  state_ = Owned(new State(predictor.shared_->state, rows));
}

template <class T>
Predictor<T>::Scratch::Scratch(Scratch&&) noexcept = default;
template <class T>
typename Predictor<T>::Scratch& Predictor<T>::Scratch::operator=(Scratch&&) noexcept = default;
template <class T>
Predictor<T>::Scratch::~Scratch() = default;

template <class T>
void Predictor<T>::Scratch::reset() noexcept {
  state_->workspace.reset();
}

template <class T>
void Predictor<T>::Scratch::continue_from(const Scratch& other) {
  if (!state_ || !other.state_ || state_->predictor != other.state_->predictor)
    throw Error("state belongs to another predictor");
  state_->workspace.continue_from(other.state_->workspace);
}

template <class T>
Predictor<T>::Predictor(const Network<T>& network, Loss::Link link,
                        const Quantization& quantization)
    : Predictor(network, link, quantization, false) {}

// The network is read here and in `update` alone; it may be trained or deleted meanwhile.
template <class T>
Predictor<T>::Predictor(const Network<T>& network, Loss::Link link,
                        const Quantization& quantization, bool streams) {
  const engine::Reading guard(*network.state_);
  shared_ =
      Owned(new Shared{std::make_shared<State>(*network.state_, link, quantization, streams)});
}

template <class T>
Predictor<T>::Predictor(Predictor&&) noexcept = default;
template <class T>
Predictor<T>& Predictor<T>::operator=(Predictor&&) noexcept = default;
template <class T>
Predictor<T>::~Predictor() = default;

template <class T>
std::int64_t Predictor<T>::inputs() const noexcept {
  return shared_->state->inputs;
}

template <class T>
std::int64_t Predictor<T>::outputs() const noexcept {
  return shared_->state->outputs;
}

template <class T>
const std::vector<bool>& Predictor<T>::missing_columns() const noexcept {
  return shared_->state->missing;
}

// One row: in: inputs, out: outputs.
template <class T>
void Predictor<T>::predict(const T* in, T* out, Scratch& scratch) const noexcept {
  predict(in, 0, out, 0, 1, scratch);
}

// in: rows x inputs, out: rows x outputs, at any strides. It runs in pieces of as many rows as the
// scratch has memory for, all by the weights that were the newest when the call began. noexcept and
// without allocation, lock or system call: it may run on an audio thread.
template <class T>
void Predictor<T>::predict(const T* in, std::int64_t in_stride, T* out, std::int64_t out_stride,
                           std::int64_t rows, Scratch& scratch) const noexcept {
  typename Scratch::State& s = *scratch.state_;
  assert(s.predictor == shared_->state);
  const engine::ArithmeticMode mode;
  const InferencePlan<T>& weights = s.reader.acquire();
  while (rows > 0) {
    const std::int64_t piece = std::min(rows, s.workspace.rows);
    weights.run(in, in_stride, piece, s.workspace);
    // The results of several outputs lie side by side in a row of `out`.
    std::int64_t first = 0;
    for (const auto& result : weights.results()) {
      T* values = s.workspace.slot(result.slot);
      if (s.link.function.kind != kernels::ActivationKind::linear) {
        s.link.rows = piece;
        s.predictor->kernels.activation_forward(s.link, values, values);
      }
      for (std::int64_t i = 0; i < piece; ++i)
        std::copy_n(values + i * result.stride, result.columns, out + i * out_stride + first);
      first += result.columns;
    }
    in += piece * in_stride;
    out += piece * out_stride;
    rows -= piece;
  }
}

// in: rows x inputs, out: rows x outputs, side by side. All is checked before the first row is
// written.
template <class T>
void Predictor<T>::predict_checked(std::span<const T> in, std::span<T> out,
                                   Scratch& scratch) const {
  const bool streams = shared_->state->streams;
  const std::string from = streams ? "frames" : "in";
  const std::string each = streams ? "frames" : "rows";
  const auto given = static_cast<std::int64_t>(in.size());
  const std::int64_t rows = given / inputs();
  if (rows * inputs() != given) {
    throw Error(from + " has " + std::to_string(given) + " values; the network expects " + each +
                " of " + std::to_string(inputs()));
  }
  if (static_cast<std::int64_t>(out.size()) != rows * outputs()) {
    throw Error("out has " + std::to_string(out.size()) + " values; " + std::to_string(rows) + " " +
                each + " give " + std::to_string(rows * outputs()));
  }
  if (!scratch.state_ || scratch.state_->predictor != shared_->state)
    throw Error(std::string(streams ? "state" : "scratch") + " belongs to another predictor");
  const std::vector<std::int64_t>& categories = shared_->state->categories;
  if (!categories.empty())
    engine::check_categories(view(in, inputs()), categories, shared_->state->missing, from.c_str());
  // Within a piece out may lie in the memory of in, since a piece is read before it is written.
  const std::int64_t piece = scratch.state_->workspace.rows;
  for (std::int64_t done = piece; done < rows; done += piece) {
    const RowsView later = view(in.subspan(static_cast<std::size_t>(done * inputs())), inputs());
    if (!overlaps(later, out.data(), out.data() + done * outputs())) continue;
    std::string text = each;
    text.append(" of out must not lie in the memory of later ").append(each);
    text.append(" of ").append(from);
    throw Error(text);
  }
  predict(in.data(), inputs(), out.data(), outputs(), rows, scratch);
}

// Copies the weights into a plan that no reader has and publishes it. Makes a new plan only where
// readers still hold all the others.
template <class T>
void Predictor<T>::update(const Network<T>& network) {
  const typename Network<T>::State& n = *network.state_;
  State& s = *shared_->state;
  if (!same_structure(n.graph, s.graph))
    throw Error("the network has other layers than the one that the predictor was made with");
  const engine::Reading guard(*network.state_);
  s.weights.publish([&] { return s.make_set(); },
                    [&](InferencePlan<T>& set) { set.copy_from(n.parameters.values); });
}

template class Predictor<float>;
template class Predictor<double>;

}  // namespace chainrule

// SPDX-License-Identifier: Apache-2.0
// Frames one by one against whole sequences, to the last bit.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "chainrule/convolution_layers.hpp"
#include "chainrule/error.hpp"
#include "chainrule/merge_layers.hpp"
#include "chainrule/pooling_layers.hpp"
#include "chainrule/recurrent_layers.hpp"
#include "chainrule/shape_layers.hpp"
#include "chainrule/streaming_predictor.hpp"
#include "networks.hpp"

namespace {

using namespace chainrule;
using namespace chainrule::testing;

Conv1D causal(int64_t filters, int64_t size, int64_t dilation = 1,
              Activation::Kind activation = Activation::Kind::linear) {
  Conv1D conv(filters, {size}, Activation::defaults(activation));
  conv.padding = Padding::causal;
  conv.dilation = {dilation};
  return conv;
}

template <class L>
L recurrent(int64_t units, bool sequences = true) {
  L layer(units);
  layer.return_sequences = sequences;
  return layer;
}

Graph chain(const Layers& layers, int64_t time, int64_t features = 3) {
  return Graph::chain(layers, Shape{time, features});
}

/// Two inputs, a residual block, a layer that two nodes share, and two outputs: of each frame, and
/// of the frames so far.
Graph branches(int64_t time) {
  Graph graph;
  const auto a = graph.input({time, 2}, "a"), b = graph.input({time, 3}, "b");
  const auto h = graph.add(recurrent<GRU>(5), a), g = graph.add(causal(5, 2, 3), b);
  const auto sum = graph.add(Add(), {h, graph.add(dense(5, Activation::Kind::relu), g)});
  const auto first = graph.add(recurrent<LSTM>(5), sum);
  const auto second = graph.add_shared(first, {g});
  const auto joined = graph.add(Concatenate(), {first, second, b});
  graph.output(graph.add(dense(2), joined));
  graph.output(graph.add(recurrent<SimpleRNN>(4, false), joined));
  return graph;
}

std::vector<Graph> graphs(int64_t time) {
  return {
      chain({recurrent<GRU>(9)}, time),
      chain({recurrent<LSTM>(17)}, time),
      chain({recurrent<SimpleRNN>(8), dense(2, Activation::Kind::tanh)}, time),
      chain({recurrent<LSTM>(5, false), dense(2)}, time),
      chain({causal(16, 3, 1, Activation::Kind::relu), causal(4, 2, 5), causal(2, 1)}, time),
      chain({Normalization(), dense(20, Activation::Kind::relu), LayerNormalization(),
             recurrent<GRU>(6), BatchNormalization(), Dropout(0.5), Scale(), causal(6, 4, 2),
             PReLU(), recurrent<GRU>(33, false), dense(3, Activation::Kind::softmax)},
            time),
      chain({Rescaling(0.5, 0.25), causal(70, 3), Take({3, 1, 69}), Clip(-1.0, 1.0)}, time),
      // Several pieces of units, and products that begin before all of them are there.
      chain({recurrent<GRU>(64), dense(1)}, time),
      chain({recurrent<LSTM>(96), dense(3, Activation::Kind::tanh), recurrent<GRU>(128, false),
             dense(20, Activation::Kind::relu), dense(1)},
            time),
      branches(time),
  };
}

/// With numbers in all arrays, also those that begin as zeros.
template <class T>
Network<T> network_of(Graph graph) {
  Network<T> network(std::move(graph), 3);
  Draws draws(11);
  for (const ParameterInfo& info : network.parameters()) {
    std::vector<T> values = parameter(network, info);
    for (T& value : values) value += static_cast<T>(draws.uniform(0.01, 0.3));
    network.set_parameter(info.name, values.data());
  }
  return network;
}

template <class T>
std::vector<T> drawn_frames(int64_t frames, int64_t inputs, uint64_t seed = 5) {
  Draws draws(seed);
  std::vector<T> x;
  for (int64_t i = 0; i < frames * inputs; ++i) x.push_back(static_cast<T>(draws.uniform(-1, 1)));
  return x;
}

/// What Network::predict gives at the last of so many frames.
template <class T>
std::vector<T> at_the_end(const Network<T>& network, const std::vector<T>& frames) {
  const Graph& graph = network.graph();
  const auto time = graph.node(graph.inputs()[0]).shape.positions();
  const int64_t width = static_cast<int64_t>(frames.size()) / time;
  std::vector<std::vector<T>> rows;
  std::vector<RowsView> views;
  int64_t column = 0;
  for (const int64_t input : graph.inputs()) {
    const int64_t columns = graph.node(input).shape.columns();
    std::vector<T>& row = rows.emplace_back();
    for (int64_t t = 0; t < time; ++t)
      row.insert(row.end(), frames.begin() + t * width + column,
                 frames.begin() + t * width + column + columns);
    column += columns;
  }
  for (const std::vector<T>& row : rows)
    views.push_back(view(row.data(), 1, static_cast<int64_t>(row.size())));
  const std::vector<T> all = network.predict(Inputs(views), 1, 1);
  std::vector<T> last;
  auto next = all.begin();
  for (const int64_t output : graph.outputs()) {
    const Shape& shape = graph.node(output).shape;
    next += shape.size();
    last.insert(last.end(), next - shape.columns(), next);
  }
  return last;
}

template <class T>
std::vector<T> stepped(const StreamingPredictor<T>& predictor, const T* frame,
                       typename StreamingPredictor<T>::StreamState& state) {
  std::vector<T> out(static_cast<size_t>(predictor.outputs()));
  predictor.step(frame, out.data(), state);
  return out;
}

template <class T>
std::vector<T> stepped_all(const StreamingPredictor<T>& predictor, const std::vector<T>& frames,
                           typename StreamingPredictor<T>::StreamState& state) {
  std::vector<T> out(frames.size() / static_cast<size_t>(predictor.inputs()) *
                     static_cast<size_t>(predictor.outputs()));
  predictor.step_checked(std::span<const T>(frames), std::span<T>(out), state);
  return out;
}

}  // namespace

TEST_CASE_TEMPLATE("each frame has the bits of the sequence that ends with it", T, float, double) {
  constexpr int64_t time = 12;
  const size_t count = graphs(1).size();
  for (size_t g = 0; g < count; ++g) {
    CAPTURE(g);
    // The time axis that a network was made for does not matter.
    const Network<T> network = network_of<T>(graphs(3)[g]);
    const StreamingPredictor<T> predictor(network);
    typename StreamingPredictor<T>::StreamState state(predictor);
    const int64_t width = predictor.inputs();
    const std::vector<T> x = drawn_frames<T>(time, width);
    for (int64_t t = 0; t < time; ++t) {
      CAPTURE(t);
      const std::vector<T> so_far(x.begin(), x.begin() + (t + 1) * width);
      const Network<T> whole = network_of<T>(graphs(t + 1)[g]);
      CHECK(same_bits(stepped(predictor, x.data() + t * width, state), at_the_end(whole, so_far)));
    }
  }
}

TEST_CASE("a state begins again, goes on from another, and knows no other sequence") {
  for (const Graph& graph : graphs(6)) {
    const StreamingPredictor<float> predictor(network_of<float>(graph));
    const int64_t width = predictor.inputs();
    const std::vector<float> x = drawn_frames<float>(20, width);
    const std::vector<float> other = drawn_frames<float>(20, width, 99);
    StreamingPredictor<float>::StreamState state(predictor), second(predictor), late(predictor);
    std::vector<std::vector<float>> want;
    for (int64_t t = 0; t < 20; ++t)
      want.push_back(stepped(predictor, x.data() + t * width, state));
    state.reset();
    for (int64_t t = 0; t < 20; ++t) {
      if (t == 7) late.copy_from(state);
      CHECK(stepped(predictor, x.data() + t * width, state) == want[static_cast<size_t>(t)]);
      (void)stepped(predictor, other.data() + t * width, second);
    }
    for (int64_t t = 7; t < 20; ++t)
      CHECK(stepped(predictor, x.data() + t * width, late) == want[static_cast<size_t>(t)]);
    state.reset();
    StreamingPredictor<float>::StreamState moved = std::move(state);
    const std::vector<float> block = stepped_all(predictor, x, moved);
    for (size_t t = 0; t < 20; ++t)
      CHECK(std::equal(want[t].begin(), want[t].end(),
                       block.begin() + static_cast<int64_t>(t) * predictor.outputs()));
  }
}

TEST_CASE_TEMPLATE("tokens are frames in front of a table and a Reshape", T, float, double) {
  constexpr int64_t time = 6;
  for (const int64_t each : {1, 2}) {
    for (const AnyLayer& table : {AnyLayer(Embedding(11, 4)), AnyLayer(CategoryEncoding(11))}) {
      const int64_t columns = table->output_shape({Shape{each}}).columns();
      const Layers layers{table, Reshape({time, columns}), recurrent<GRU>(5), dense(2)};
      const Network<T> network = network_of<T>(Graph::chain(layers, Shape{time * each}));
      std::vector<T> x;
      for (int64_t i = 0; i < time * each; ++i) x.push_back(static_cast<T>(i * 7 % 11));
      const StreamingPredictor<T> predictor(network);
      REQUIRE(predictor.inputs() == each);
      CHECK(predictor.missing_columns() == std::vector<bool>(static_cast<size_t>(each), false));
      typename StreamingPredictor<T>::StreamState state(predictor);
      const std::vector<RowsView> rows{view(x.data(), 1, time * each)};
      CHECK(same_bits(stepped_all(predictor, x, state), network.predict(Inputs(rows), 1, 1)));
      x[0] = T(11);
      std::vector<T> out(2);
      const std::span<const T> frame(x.data(), static_cast<size_t>(each));
      CHECK_THROWS_WITH_AS(predictor.step_checked(frame, out, state),
                           "frames must hold categories in column 0, whole numbers from 0 to 10; "
                           "row 0, column 0 is 11",
                           Error);
    }
  }
}

TEST_CASE("new weights come in between two frames, and states remain") {
  const Layers layers{causal(4, 2), recurrent<GRU>(5), dense(2)};
  Network<double> network = network_of<double>(chain(layers, 4));
  StreamingPredictor<double> predictor(network);
  StreamingPredictor<double>::StreamState state(predictor), twin(predictor);
  const std::vector<double> x = drawn_frames<double>(3, 3);
  (void)stepped(predictor, x.data(), state);
  twin.copy_from(state);
  const std::vector<double> before = stepped(predictor, x.data() + 3, twin);
  const std::vector<double> zeros(2, 0.0);
  network.set_parameter("2.bias", zeros.data());
  predictor.update(network);
  const std::vector<double> after = stepped(predictor, x.data() + 3, state);
  CHECK(after != before);
  const std::vector<double> bias = parameter(network_of<double>(chain(layers, 4)), "2.bias");
  for (size_t j = 0; j < 2; ++j) CHECK(after[j] + bias[j] == doctest::Approx(before[j]));
  predictor.update(network_of<double>(chain(layers, 9)));
  CHECK_THROWS_WITH_AS(
      predictor.update(Network<double>(chain({causal(4, 2), recurrent<GRU>(6), dense(2)}, 4))),
      "the network has other layers than the one that the predictor was made with", Error);
}

TEST_CASE_TEMPLATE("new weights are those of all frames that a window looks back to", T, float,
                   double) {
  const auto graph = [](int64_t time) { return chain({causal(20, 3, 2)}, time); };
  Network<T> network = network_of<T>(graph(3));
  StreamingPredictor<T> predictor(network);
  typename StreamingPredictor<T>::StreamState state(predictor), twin(predictor);
  const std::vector<T> x = drawn_frames<T>(16, 3);
  const auto halved = [](Network<T>& from) {
    std::vector<T> weight = parameter(from, "0.weight");
    for (T& value : weight) value /= 2;
    from.set_parameter("0.weight", weight.data());
  };
  for (int64_t t = 0; t < 16; ++t) {
    CAPTURE(t);
    if (t == 7) {
      halved(network);
      predictor.update(network);
    }
    // One that comes later has weights of its own from the other's frame on.
    if (t == 9) twin.copy_from(state);
    Network<T> whole = network_of<T>(graph(t + 1));
    if (t >= 7) halved(whole);
    const std::vector<T> so_far(x.begin(), x.begin() + (t + 1) * 3);
    const std::vector<T> want = at_the_end(whole, so_far);
    CHECK(same_bits(stepped(predictor, x.data() + t * 3, state), want));
    if (t >= 9) CHECK(same_bits(stepped(predictor, x.data() + t * 3, twin), want));
  }
}

TEST_CASE("links and small weights are those of a Predictor") {
  const Layers layers{causal(8, 3), dense(16, Activation::Kind::relu), recurrent<LSTM>(6, false),
                      dense(3)};
  const Network<float> network = network_of<float>(chain(layers, 6));
  const std::vector<float> x = drawn_frames<float>(6, 3);
  const RowsView row = view(x.data(), 1, 18);
  for (const Quantization& quantization : {Quantization{}, Quantization{WeightType::bfloat16, {}},
                                           Predictor<float>::calibrate(network, row)}) {
    const Predictor<float> whole(network, Loss::Link::softmax, quantization);
    Predictor<float>::Scratch scratch(whole);
    std::vector<float> want(3);
    whole.predict(x.data(), want.data(), scratch);
    const StreamingPredictor<float> predictor(network, Loss::Link::softmax, quantization);
    StreamingPredictor<float>::StreamState state(predictor);
    const std::vector<float> all = stepped_all(predictor, x, state);
    CHECK(std::equal(want.begin(), want.end(), all.end() - 3));
  }
}

TEST_CASE("what does not fit is named, and nothing is written or remembered") {
  const Network<float> network = network_of<float>(chain({recurrent<GRU>(4)}, 5));
  const StreamingPredictor<float> predictor(network), another(network);
  StreamingPredictor<float>::StreamState state(predictor), foreign(another), twin(predictor);
  const std::vector<float> x = drawn_frames<float>(2, 3);
  std::vector<float> y(8, 9.0f);
  const auto step = [&](size_t in, size_t out, StreamingPredictor<float>::StreamState& s) {
    predictor.step_checked(std::span<const float>(x).first(in), std::span<float>(y).first(out), s);
  };
  CHECK_THROWS_WITH_AS(step(4, 4, state), "frames has 4 values; the network expects frames of 3",
                       Error);
  CHECK_THROWS_WITH_AS(step(6, 4, state), "out has 4 values; 2 frames give 8", Error);
  CHECK_THROWS_WITH_AS(step(3, 4, foreign), "state belongs to another predictor", Error);
  CHECK_THROWS_WITH_AS(state.copy_from(foreign), "state belongs to another predictor", Error);
  CHECK(y == std::vector<float>(8, 9.0f));
  CHECK(stepped(predictor, x.data(), state) == stepped(predictor, x.data(), twin));
}

TEST_CASE("a network that does not go forward frame by frame is refused by its node") {
  const auto text_of = [](Graph graph) -> std::string {
    try {
      const StreamingPredictor<float> predictor{Network<float>(std::move(graph))};
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  };
  const auto refused = [&](const AnyLayer& layer, const std::string& why) {
    CHECK(text_of(chain({dense(3), layer, dense(2)}, 6)) ==
          "a StreamingPredictor goes from frame to frame, which node '1' (" +
              std::string(layer->kind()) + ") cannot: " + why);
  };
  GRU backwards = recurrent<GRU>(4);
  backwards.go_backwards = true;
  refused(backwards, "it goes backwards, from the last frame on");
  for (const Padding padding : {Padding::same, Padding::valid}) {
    Conv1D conv = causal(4, 2);
    conv.padding = padding;
    refused(conv, "its padding must be 'causal', so that it reads no frames to come");
    conv.kernel_size = {1};
    CHECK(text_of(chain({conv}, 6)).empty());
  }
  Conv1D strided = causal(4, 2);
  strided.strides = {2};
  refused(strided, "its strides are 2, expected 1");
  const std::string together = "it does not work on each frame by itself";
  refused(MaxPooling(), together);
  refused(AveragePooling({2}, {1}, Padding::same), together);
  refused(Flatten(), together);
  refused(GlobalAveragePooling(), together);
  refused(GlobalMaxPooling(), together);
  refused(Permute({2, 1}), together);
  refused(Reshape({3, 6}), together);
  refused(UpSampling(), together);
  refused(ZeroPadding(), together);
  refused(Cropping(), together);
  CHECK(text_of(Graph::chain({dense(3)}, 8)) ==
        "a StreamingPredictor reads inputs of shape (time, features), got 'x' of shape (8,)");
  CHECK(text_of(Graph::chain({dense(3)}, {8, 8, 1})) ==
        "a StreamingPredictor reads inputs of shape (time, features), got 'x' of shape (8, 8, 1)");

  Graph lengths;
  const auto x = lengths.input({6, 2}, "x"), n = lengths.input(1, "n");
  lengths.output(lengths.add(recurrent<LSTM>(2), {x, n}, "h"));
  CHECK(text_of(lengths) ==
        "a StreamingPredictor goes from frame to frame, which node 'h' (lstm) cannot: it reads the "
        "lengths of whole sequences");
  Graph two;
  two.output(two.add(dense(1), two.input({6, 2}, "a")));
  two.output(two.add(dense(1), two.input({5, 2}, "b")));
  CHECK(text_of(two) ==
        "a StreamingPredictor reads inputs of one length, got 6 frames and 'b' of shape (5, 2)");
}

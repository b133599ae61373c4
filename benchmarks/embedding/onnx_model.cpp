// SPDX-License-Identifier: Apache-2.0
// The few fields of a protocol buffer that such models need; the numbers are those of onnx.proto.
#include "onnx_model.hpp"

namespace {

using Extents = std::vector<std::int64_t>;

class Message {
 public:
  Message& number(int field, std::int64_t value) {
    varint(static_cast<std::uint64_t>(field) << 3);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  Message& text(int field, const std::string& value) {
    varint(static_cast<std::uint64_t>(field) << 3 | 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return text(field, value.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_ += static_cast<char>(value | 128);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

Message value_info(const std::string& name, const Extents& extents) {
  Message shape;
  for (const std::int64_t n : extents) shape.message(1, Message().number(1, n));
  const Message type = Message().message(1, Message().number(1, 1).message(2, shape));
  return Message().text(1, name).message(2, type);
}

Message attribute(const std::string& name, std::int64_t value) {
  return Message().text(1, name).number(3, value).number(20, 2);
}
Message attribute(const std::string& name, const Extents& values) {
  Message m = Message().text(1, name);
  for (const std::int64_t v : values) m.number(8, v);
  return m.number(20, 7);
}

/// Adds layer after layer behind the last one's output.
class Builder {
 public:
  Builder(const NetworkDescription& d, OnnxModel& model) : network_(d), model_(model) {}

  void build(bool from_window) {
    const bool recurs = network_.layers[0].gates() > 1;
    const bool convolves = network_.layers[0].kind == LayerKind::causal_convolution;
    std::int64_t frames = 1;
    for (std::int64_t l = 0; from_window && l < network_.depth; ++l)
      frames += network_.layers[l].span() - 1;
    model_.x = {1, network_.inputs()};
    model_.y = {1, network_.outputs()};
    if (convolves) model_.x = {1, network_.inputs(), frames};
    if (recurs) model_.x = {1, 1, network_.inputs()};
    if (recurs || convolves) model_.y = {1, 1, network_.outputs()};
    for (std::int64_t l = 0; l < network_.depth; ++l) {
      const LayerDescription& layer = network_.layers[l];
      number_ = std::to_string(l);
      if (layer.gates() > 1) {
        recur(layer);
      } else if (convolves) {
        convolve(layer, from_window);
      } else {
        multiply(layer, recurs);
      }
      if (layer.activation == ActivationKind::linear) continue;
      node(layer.activation == ActivationKind::relu ? "Relu" : "Tanh", {last_}, {unique("a")});
      last_ = unique("a");
    }
    graph_.message(11, value_info("x", model_.x));
    graph_.message(12, value_info(last_, model_.y));
    model_.output = last_;
    for (const OnnxState& state : model_.states) {
      graph_.message(11, value_info(state.in, state.shape));
      graph_.message(12, value_info(state.out, state.shape));
    }
    model_.bytes = Message()
                       .number(1, 8)
                       .message(7, graph_)
                       .message(8, Message().text(1, "").number(2, 17))
                       .bytes();
  }

 private:
  std::string unique(const std::string& name) const { return name + number_; }

  void node(const std::string& op, const std::vector<std::string>& inputs,
            const std::vector<std::string>& outputs, const std::vector<Message>& attributes = {}) {
    Message m;
    for (const std::string& name : inputs) m.text(1, name);
    for (const std::string& name : outputs) m.text(2, name);
    m.text(4, op);
    for (const Message& a : attributes) m.message(5, a);
    graph_.message(1, m);
  }

  /// An initializer, of type 1 for float or 7 for int64.
  template <class T>
  std::string array(const std::string& name, int type, const std::vector<T>& values,
                    const Extents& extents) {
    Message m;
    for (const std::int64_t n : extents) m.number(1, n);
    const std::string raw(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    graph_.message(5, m.number(2, type).text(8, unique(name)).text(9, raw));
    return unique(name);
  }
  std::string floats(const std::string& name, const std::vector<float>& v, const Extents& extents) {
    return array(name, 1, v, extents);
  }

  void multiply(const LayerDescription& d, bool behind_recurrence) {
    const std::string w =
        floats("w", {d.weight, d.weight + d.inputs * d.outputs}, {d.inputs, d.outputs});
    const std::string b = floats("b", {d.bias, d.bias + d.outputs}, {d.outputs});
    if (behind_recurrence) {  // (1, 1, inputs)
      node("MatMul", {last_, w}, {unique("p")});
      node("Add", {unique("p"), b}, {unique("z")});
    } else {
      node("Gemm", {last_, w, b}, {unique("z")});
    }
    last_ = unique("z");
  }

  /// Gates x units rows of `inputs` numbers in ONNX' order of gates: an LSTM's are i, o, f, g.
  std::vector<float> gates_first(const LayerDescription& d, const float* from,
                                 std::int64_t inputs) const {
    const bool lstm = d.kind == LayerKind::lstm;
    std::vector<float> to;
    for (const std::int64_t gate : lstm ? Extents{0, 3, 1, 2} : Extents{0, 1, 2}) {
      for (std::int64_t j = gate * d.outputs; j < (gate + 1) * d.outputs; ++j) {
        for (std::int64_t k = 0; k < inputs; ++k) to.push_back(from[k * d.columns() + j]);
      }
    }
    return to;
  }

  void recur(const LayerDescription& d) {
    const bool lstm = d.kind == LayerKind::lstm;
    const std::vector<float> zeros(static_cast<std::size_t>(d.columns()));
    std::vector<float> biases = gates_first(d, d.bias, 1);
    const std::vector<float> more =
        gates_first(d, d.recurrent_bias ? d.recurrent_bias : zeros.data(), 1);
    biases.insert(biases.end(), more.begin(), more.end());
    const std::string w =
        floats("w", gates_first(d, d.weight, d.inputs), {1, d.columns(), d.inputs});
    const std::string r =
        floats("r", gates_first(d, d.recurrent_weight, d.outputs), {1, d.columns(), d.outputs});
    const std::string b = floats("b", biases, {1, 2 * d.columns()});
    std::vector<std::string> inputs{last_, w, r, b, "", unique("h")};
    std::vector<std::string> outputs{"", unique("next_h")};
    std::vector<Message> attributes{attribute("hidden_size", d.outputs)};
    model_.states.push_back({unique("h"), unique("next_h"), {1, 1, d.outputs}});
    if (lstm) {
      inputs.push_back(unique("c"));
      outputs.push_back(unique("next_c"));
      model_.states.push_back({unique("c"), unique("next_c"), {1, 1, d.outputs}});
    } else {
      attributes.push_back(attribute("linear_before_reset", 1));
    }
    node(lstm ? "LSTM" : "GRU", inputs, outputs, attributes);
    last_ = unique("next_h");
  }

  void convolve(const LayerDescription& d, bool from_window) {
    if (const std::int64_t past = d.span() - 1; past > 0 && !from_window) {
      node("Concat", {unique("past"), last_}, {unique("window")}, {attribute("axis", 2)});
      node(
          "Slice",
          {unique("window"), array<std::int64_t>("from", 7, {1}, {1}),
           array<std::int64_t>("to", 7, {past + 1}, {1}), array<std::int64_t>("axis", 7, {2}, {1})},
          {unique("next_past")});
      model_.states.push_back({unique("past"), unique("next_past"), {1, d.inputs, past}});
      last_ = unique("window");
    }
    std::vector<float> weight;  // (outputs, inputs, taps)
    for (std::int64_t j = 0; j < d.outputs; ++j) {
      for (std::int64_t k = 0; k < d.inputs; ++k) {
        for (std::int64_t t = 0; t < d.taps; ++t)
          weight.push_back(d.weight[(t * d.inputs + k) * d.outputs + j]);
      }
    }
    node("Conv",
         {last_, floats("w", weight, {d.outputs, d.inputs, d.taps}),
          floats("b", {d.bias, d.bias + d.outputs}, {d.outputs})},
         {unique("z")},
         {attribute("dilations", Extents{d.dilation}), attribute("kernel_shape", Extents{d.taps})});
    last_ = unique("z");
  }

  const NetworkDescription& network_;
  OnnxModel& model_;
  Message graph_;
  std::string number_;  // of the layer
  std::string last_ = "x";
};

}  // namespace

OnnxModel OnnxModel::of(const NetworkDescription& d, bool from_window) {
  OnnxModel model;
  Builder(d, model).build(from_window);
  return model;
}

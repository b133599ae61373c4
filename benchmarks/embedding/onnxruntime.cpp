// SPDX-License-Identifier: Apache-2.0
// By the C interface, which the C++ one wraps call by call, with input and output bound once.
#include <onnxruntime_c_api.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "peer.hpp"

namespace {

/// The few fields of a protocol buffer that an ONNX model of Gemm nodes needs; the numbers are
/// those of onnx.proto.
class Message {
 public:
  Message& number(int field, std::uint64_t value) {
    varint(static_cast<std::uint64_t>(field) << 3);
    varint(value);
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

Message tensor(const std::string& name, const float* values, std::vector<std::int64_t> shape) {
  Message m;
  std::int64_t size = 1;
  for (const std::int64_t n : shape) {
    m.number(1, static_cast<std::uint64_t>(n));
    size *= n;
  }
  const std::string raw(reinterpret_cast<const char*>(values), static_cast<std::size_t>(4 * size));
  return m.number(2, 1).text(8, name).text(9, raw);
}

Message value_info(const std::string& name, std::int64_t columns) {
  Message shape;
  for (const std::int64_t n : {std::int64_t{1}, columns})
    shape.message(1, Message().number(1, static_cast<std::uint64_t>(n)));
  const Message type = Message().message(1, Message().number(1, 1).message(2, shape));
  return Message().text(1, name).message(2, type);
}

std::string model(const NetworkDescription& d) {
  Message graph;
  std::string x = "x";
  for (std::int64_t l = 0; l < d.depth; ++l) {
    const DenseDescription& layer = d.layers[l];
    const std::string n = std::to_string(l);
    const std::string y = l + 1 < d.depth ? "z" + n : "y";
    graph.message(
        1, Message().text(1, x).text(1, "w" + n).text(1, "b" + n).text(2, y).text(4, "Gemm"));
    x = y;
    if (l + 1 == d.depth) break;
    const char* op = d.hidden == Hidden::relu ? "Relu" : "Tanh";
    graph.message(1, Message().text(1, x).text(2, "a" + n).text(4, op));
    x = "a" + n;
  }
  graph.text(2, "mlp");
  for (std::int64_t l = 0; l < d.depth; ++l) {
    const DenseDescription& layer = d.layers[l];
    const std::string n = std::to_string(l);
    graph.message(5, tensor("w" + n, layer.weight, {layer.inputs, layer.outputs}));
    graph.message(5, tensor("b" + n, layer.bias, {layer.outputs}));
  }
  graph.message(11, value_info("x", d.layers[0].inputs));
  graph.message(12, value_info("y", d.layers[d.depth - 1].outputs));
  return Message()
      .number(1, 8)
      .message(7, graph)
      .message(8, Message().text(1, "").number(2, 17))
      .bytes();
}

class OnnxRuntimePeer final : public Peer {
 public:
  explicit OnnxRuntimePeer(const NetworkDescription& d)
      : api_(OrtGetApiBase()->GetApi(ORT_API_VERSION)),
        in_(static_cast<std::size_t>(d.layers[0].inputs)),
        out_(static_cast<std::size_t>(d.layers[d.depth - 1].outputs)) {
    if (!api_) {
      std::fprintf(stderr, "ONNX Runtime %s is older than its header\n",
                   OrtGetApiBase()->GetVersionString());
      std::exit(1);
    }
    OrtSessionOptions* options = nullptr;
    OrtMemoryInfo* memory = nullptr;
    check(api_->CreateEnv(ORT_LOGGING_LEVEL_WARNING, "benchmark", &env_));
    check(api_->CreateSessionOptions(&options));
    check(api_->SetIntraOpNumThreads(options, 1));
    check(api_->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL));
    const std::string bytes = model(d);
    check(api_->CreateSessionFromArray(env_, bytes.data(), bytes.size(), options, &session_));
    api_->ReleaseSessionOptions(options);
    check(api_->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));
    in_value_ = value(memory, in_);
    out_value_ = value(memory, out_);
    api_->ReleaseMemoryInfo(memory);
  }
  ~OnnxRuntimePeer() override {
    api_->ReleaseValue(in_value_);
    api_->ReleaseValue(out_value_);
    api_->ReleaseSession(session_);
    api_->ReleaseEnv(env_);
  }
  const char* name() const override { return PEER_NAME; }
  void predict(const float* in, float* out) override {
    std::memcpy(in_.data(), in, 4 * in_.size());
    const char* x = "x";
    const char* y = "y";
    const OrtValue* inputs = in_value_;
    check(api_->Run(session_, nullptr, &x, &inputs, 1, &y, 1, &out_value_));
    std::memcpy(out, out_.data(), 4 * out_.size());
  }

 private:
  OrtValue* value(OrtMemoryInfo* memory, std::vector<float>& values) {
    const std::int64_t shape[] = {1, static_cast<std::int64_t>(values.size())};
    OrtValue* made = nullptr;
    check(api_->CreateTensorWithDataAsOrtValue(memory, values.data(), 4 * values.size(), shape, 2,
                                               ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &made));
    return made;
  }

  void check(OrtStatus* status) const {
    if (!status) return;
    std::fprintf(stderr, "ONNX Runtime: %s\n", api_->GetErrorMessage(status));
    std::exit(1);
  }

  const OrtApi* api_;
  OrtEnv* env_ = nullptr;
  OrtSession* session_ = nullptr;
  OrtValue* in_value_ = nullptr;
  OrtValue* out_value_ = nullptr;
  std::vector<float> in_;
  std::vector<float> out_;
};

}  // namespace

PEER_EXPORT Peer* PEER_FACTORY(const NetworkDescription& d) { return new OnnxRuntimePeer(d); }

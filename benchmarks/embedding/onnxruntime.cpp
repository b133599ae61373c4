// SPDX-License-Identifier: Apache-2.0
// By the C interface, which the C++ one wraps call by call, with inputs and outputs bound once.
// What a step remembers lies in two places, which take turns at being read and written.
#include <onnxruntime_c_api.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "onnx_model.hpp"
#include "peer.hpp"

namespace {

std::size_t size_of(const std::vector<std::int64_t>& shape) {
  std::size_t size = 1;
  for (const std::int64_t n : shape) size *= static_cast<std::size_t>(n);
  return size;
}

class OnnxRuntimePeer final : public Peer {
 public:
  OnnxRuntimePeer(const NetworkDescription& d, bool from_window)
      : api_(OrtGetApiBase()->GetApi(ORT_API_VERSION)),
        model_(OnnxModel::of(d, from_window)),
        frames_(from_window ? static_cast<std::size_t>(model_.x.back()) : 1) {
    if (!api_) {
      std::fprintf(stderr, "ONNX Runtime %s is older than its header\n",
                   OrtGetApiBase()->GetVersionString());
      std::exit(1);
    }
    OrtSessionOptions* options = nullptr;
    check(api_->CreateEnv(ORT_LOGGING_LEVEL_WARNING, "benchmark", &env_));
    check(api_->CreateSessionOptions(&options));
    check(api_->SetIntraOpNumThreads(options, 1));
    check(api_->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL));
    check(api_->CreateSessionFromArray(env_, model_.bytes.data(), model_.bytes.size(), options,
                                       &session_));
    api_->ReleaseSessionOptions(options);
    check(api_->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory_));
    add("x", model_.x, in_names_, inputs_);
    add(model_.output.c_str(), model_.y, out_names_, outputs_);
    for (const OnnxState& state : model_.states) {
      add(state.in.c_str(), state.shape, in_names_, inputs_);
      add(state.out.c_str(), state.shape, out_names_, outputs_);
    }
  }
  ~OnnxRuntimePeer() override {
    for (OrtValue* value : inputs_) api_->ReleaseValue(value);
    for (OrtValue* value : outputs_) api_->ReleaseValue(value);
    api_->ReleaseMemoryInfo(memory_);
    api_->ReleaseSession(session_);
    api_->ReleaseEnv(env_);
  }
  const char* name() const override { return PEER_NAME; }

  void predict(const float* in, float* out) override {
    // x: (columns, frames), the newest frame last
    std::vector<float>& x = memory_of_[0];
    if (frames_ == 1) {
      std::copy(in, in + x.size(), x.begin());
    } else {
      std::copy(x.begin() + 1, x.end(), x.begin());
      for (std::size_t end = frames_; end <= x.size(); end += frames_) x[end - 1] = *in++;
    }
    check(api_->Run(session_, nullptr, in_names_.data(), inputs_.data(), inputs_.size(),
                    out_names_.data(), outputs_.size(), outputs_.data()));
    std::copy(memory_of_[1].begin(), memory_of_[1].end(), out);
    for (std::size_t i = 1; i < inputs_.size(); ++i) std::swap(inputs_[i], outputs_[i]);
  }

 private:
  void add(const char* name, const std::vector<std::int64_t>& shape,
           std::vector<const char*>& names, std::vector<OrtValue*>& values) {
    std::vector<float>& memory = memory_of_.emplace_back(size_of(shape));
    names.push_back(name);
    check(api_->CreateTensorWithDataAsOrtValue(
        memory_, memory.data(), 4 * memory.size(), shape.data(), shape.size(),
        ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &values.emplace_back()));
  }

  void check(OrtStatus* status) const {
    if (!status) return;
    std::fprintf(stderr, "ONNX Runtime: %s\n", api_->GetErrorMessage(status));
    std::exit(1);
  }

  const OrtApi* api_;
  OnnxModel model_;
  std::size_t frames_;  // of x
  OrtEnv* env_ = nullptr;
  OrtSession* session_ = nullptr;
  OrtMemoryInfo* memory_ = nullptr;
  std::vector<std::vector<float>> memory_of_;  // x, y, and for each state what is read and written
  std::vector<const char*> in_names_, out_names_;
  std::vector<OrtValue*> inputs_, outputs_;
};

}  // namespace

PEER_EXPORT Peer* PEER_FACTORY(const NetworkDescription& d) {
  const bool convolves = d.layers[0].kind == LayerKind::causal_convolution;
  if (PEER_FROM_WINDOW && !convolves) return nullptr;
  return new OnnxRuntimePeer(d, PEER_FROM_WINDOW);
}

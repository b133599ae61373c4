// SPDX-License-Identifier: Apache-2.0
#include "chainrule/streaming_predictor.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "c_api/network.hpp"
#include "c_api/options.hpp"
#include "c_api/predictor.hpp"
#include "c_api/status.hpp"

namespace chainrule::c_api {
namespace {

struct StreamingObject final : Object {
  using Opaque = chainrule_streaming_predictor;
  static constexpr Kind kind = Kind::streaming_predictor;

  template <class P>
  explicit StreamingObject(P predictor_) : predictor(std::move(predictor_)) {}

  std::variant<StreamingPredictor<float>, StreamingPredictor<double>> predictor;
};

struct StreamStateObject final : Object {
  using Opaque = chainrule_stream_state;
  static constexpr Kind kind = Kind::stream_state;

  template <class S>
  explicit StreamStateObject(S state_) : state(std::move(state_)) {}

  std::variant<StreamingPredictor<float>::StreamState, StreamingPredictor<double>::StreamState>
      state;
};

/// The state of a predictor of type T; throws Error where it is of the other type.
template <class S, class States>
S& state_of(States& states) {
  auto* state = std::get_if<std::remove_const_t<S>>(&states);
  if (!state) throw Error("state belongs to another predictor");
  return *state;
}

}  // namespace
}  // namespace chainrule::c_api

using namespace chainrule;
using namespace chainrule::c_api;

chainrule_status chainrule_streaming_predictor_create(const chainrule_network* network,
                                                      const chainrule_predictor_options* options,
                                                      chainrule_streaming_predictor** predictor) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    require_non_null(predictor, "the result's pointer");
    const chainrule_predictor_options o = read_options(options);
    const Loss::Link link = link_of(o.link);
    const Quantization quantization = quantization_of(o);
    with_network(object, [&]<class T>(const Network<T>& n) {
      return_handle(std::make_unique<StreamingObject>(StreamingPredictor<T>(n, link, quantization)),
                    predictor);
    });
  });
}

chainrule_status chainrule_streaming_predictor_destroy(chainrule_streaming_predictor* predictor) {
  return translate_exceptions([&] { destroy_handle(predictor, Kind::streaming_predictor); });
}

chainrule_status chainrule_streaming_predictor_update(chainrule_streaming_predictor* predictor,
                                                      const chainrule_network* network) {
  return translate_exceptions([&] {
    auto& object = object_of<StreamingObject>(predictor);
    with_network(object_of<NetworkObject>(network), [&]<class T>(const Network<T>& n) {
      auto* typed = std::get_if<StreamingPredictor<T>>(&object.predictor);
      if (!typed) throw Error("the network is of another type than the predictor");
      typed->update(n);
    });
  });
}

chainrule_status chainrule_stream_state_create(const chainrule_streaming_predictor* predictor,
                                               chainrule_stream_state** state) {
  return translate_exceptions([&] {
    const auto& object = object_of<StreamingObject>(predictor);
    require_non_null(state, "the result's pointer");
    std::visit(
        [&]<class T>(const StreamingPredictor<T>& typed) {
          return_handle(std::make_unique<StreamStateObject>(
                            typename StreamingPredictor<T>::StreamState(typed)),
                        state);
        },
        object.predictor);
  });
}

chainrule_status chainrule_stream_state_destroy(chainrule_stream_state* state) {
  return translate_exceptions([&] { destroy_handle(state, Kind::stream_state); });
}

chainrule_status chainrule_streaming_predictor_step(const chainrule_streaming_predictor* predictor,
                                                    chainrule_stream_state* state,
                                                    const void* frames, size_t frames_size,
                                                    void* out, size_t out_size) {
  return translate_exceptions([&] {
    const auto& object = object_of<StreamingObject>(predictor);
    auto& states = object_of<StreamStateObject>(state).state;
    require_non_null(frames, "frames");
    require_non_null(out, "out");
    std::visit(
        [&]<class T>(const StreamingPredictor<T>& typed) {
          const std::size_t frame = static_cast<std::size_t>(typed.inputs()) * sizeof(T);
          if (frames_size % frame != 0 || frames_size == 0)
            throw Error("frames has " + std::to_string(frames_size) +
                        " bytes, expected frames of " + std::to_string(frame) + ", " +
                        std::to_string(typed.inputs()) + " numbers each");
          check_bytes<T>(out_size, static_cast<std::int64_t>(frames_size / frame), typed.outputs(),
                         "out");
          typed.step_checked(
              std::span<const T>(static_cast<const T*>(frames), frames_size / sizeof(T)),
              std::span<T>(static_cast<T*>(out), out_size / sizeof(T)),
              state_of<typename StreamingPredictor<T>::StreamState>(states));
        },
        object.predictor);
  });
}

chainrule_status chainrule_stream_state_reset(chainrule_stream_state* state) {
  return translate_exceptions([&] {
    std::visit([](auto& typed) { typed.reset(); }, object_of<StreamStateObject>(state).state);
  });
}

chainrule_status chainrule_stream_state_copy_from(chainrule_stream_state* state,
                                                  const chainrule_stream_state* other) {
  return translate_exceptions([&] {
    const auto& from = object_of<StreamStateObject>(other).state;
    std::visit([&]<class S>(S& typed) { typed.copy_from(state_of<const S>(from)); },
               object_of<StreamStateObject>(state).state);
  });
}

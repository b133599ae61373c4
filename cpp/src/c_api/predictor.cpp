// SPDX-License-Identifier: Apache-2.0
#include "c_api/predictor.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "c_api/network.hpp"
#include "c_api/options.hpp"
#include "c_api/status.hpp"
#include "chainrule/predictor.hpp"

namespace chainrule::c_api {
namespace {

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> id{0};
  return ++id;
}

struct PredictorObject final : Object {
  using Opaque = chainrule_predictor;
  static constexpr Kind kind = Kind::predictor;

  template <class T>
  explicit PredictorObject(Predictor<T> predictor_) : predictor(std::move(predictor_)) {}

  std::variant<Predictor<float>, Predictor<double>> predictor;
  const std::uint64_t id = next_id();
};

struct ScratchObject final : Object {
  using Opaque = chainrule_scratch;
  static constexpr Kind kind = Kind::scratch;

  template <class S>
  ScratchObject(S scratch_, std::uint64_t predictor_id_)
      : scratch(std::move(scratch_)), predictor_id(predictor_id_) {}

  std::variant<Predictor<float>::Scratch, Predictor<double>::Scratch> scratch;
  const std::uint64_t predictor_id;
};

/// Calls visit(predictor, scratch) for the T of both, which is the same where the scratch is the
/// predictor's.
template <class Visit>
void with_scratch(const chainrule_predictor* predictor, chainrule_scratch* scratch,
                  const Visit& visit) {
  const auto& p = object_of<PredictorObject>(predictor);
  auto& s = object_of<ScratchObject>(scratch);
  if (s.predictor_id != p.id) throw Error("scratch belongs to another predictor");
  std::visit(
      [&]<class T>(const Predictor<T>& typed) {
        visit(typed, *std::get_if<typename Predictor<T>::Scratch>(&s.scratch));
      },
      p.predictor);
}

}  // namespace

Loss::Link link_of(chainrule_link given) {
  switch (given) {
    case CHAINRULE_LINK_IDENTITY:
      return Loss::Link::identity;
    case CHAINRULE_LINK_SOFTMAX:
      return Loss::Link::softmax;
    case CHAINRULE_LINK_SIGMOID:
      return Loss::Link::sigmoid;
    case CHAINRULE_LINK_EXPONENTIAL:
      return Loss::Link::exponential;
    default:
      throw Error("options.link is " + std::to_string(given) + ", expected a CHAINRULE_LINK_...");
  }
}

Quantization quantization_of(const chainrule_predictor_options& options) {
  Quantization result;
  switch (options.weights) {
    case CHAINRULE_WEIGHTS_UNCHANGED:
      break;
    case CHAINRULE_WEIGHTS_BFLOAT16:
      result.weights = WeightType::bfloat16;
      break;
    case CHAINRULE_WEIGHTS_INT8:
      result.weights = WeightType::int8;
      break;
    default:
      throw Error("options.weights is " + std::to_string(options.weights) +
                  ", expected a CHAINRULE_WEIGHTS_...");
  }
  if (options.ranges_count < 0 || options.ranges_count % 2 != 0)
    throw Error("options.ranges_count is " + std::to_string(options.ranges_count) +
                ", expected two for each dense layer");
  if (options.ranges_count > 0) require_non_null(options.ranges, "options.ranges");
  for (std::int64_t i = 0; i < options.ranges_count; i += 2)
    result.ranges.push_back({options.ranges[i], options.ranges[i + 1]});
  return result;
}

}  // namespace chainrule::c_api

using namespace chainrule;
using namespace chainrule::c_api;

chainrule_status chainrule_predictor_create(const chainrule_network* network,
                                            const chainrule_predictor_options* options,
                                            chainrule_predictor** predictor) {
  return translate_exceptions([&] {
    const auto& object = object_of<NetworkObject>(network);
    require_non_null(predictor, "the result's pointer");
    const chainrule_predictor_options o = read_options(options);
    const Loss::Link link = link_of(o.link);
    const Quantization quantization = quantization_of(o);
    with_network(object, [&]<class T>(const Network<T>& n) {
      return_handle(std::make_unique<PredictorObject>(Predictor<T>(n, link, quantization)),
                    predictor);
    });
  });
}

chainrule_status chainrule_predictor_destroy(chainrule_predictor* predictor) {
  return translate_exceptions([&] { destroy_handle(predictor, Kind::predictor); });
}

chainrule_status chainrule_predictor_update(chainrule_predictor* predictor,
                                            const chainrule_network* network) {
  return translate_exceptions([&] {
    auto& object = object_of<PredictorObject>(predictor);
    with_network(object_of<NetworkObject>(network), [&]<class T>(const Network<T>& n) {
      auto* typed = std::get_if<Predictor<T>>(&object.predictor);
      if (typed == nullptr) throw Error("the network is of another type than the predictor");
      typed->update(n);
    });
  });
}

chainrule_status chainrule_scratch_create(const chainrule_predictor* predictor, int64_t rows,
                                          chainrule_scratch** scratch) {
  return translate_exceptions([&] {
    const auto& object = object_of<PredictorObject>(predictor);
    require_non_null(scratch, "the result's pointer");
    std::visit(
        [&]<class T>(const Predictor<T>& typed) {
          return_handle(std::make_unique<ScratchObject>(typename Predictor<T>::Scratch(typed, rows),
                                                        object.id),
                        scratch);
        },
        object.predictor);
  });
}

chainrule_status chainrule_scratch_destroy(chainrule_scratch* scratch) {
  return translate_exceptions([&] { destroy_handle(scratch, Kind::scratch); });
}

chainrule_status chainrule_predictor_predict(const chainrule_predictor* predictor,
                                             chainrule_scratch* scratch, const void* in,
                                             size_t in_size, void* out, size_t out_size) {
  return translate_exceptions([&] {
    with_scratch(predictor, scratch, [&]<class T>(const Predictor<T>& p, auto& s) {
      require_non_null(in, "in");
      require_non_null(out, "out");
      const std::size_t row = static_cast<std::size_t>(p.inputs()) * sizeof(T);
      const auto rows = static_cast<std::int64_t>(in_size / row);
      if (in_size % row != 0 || rows == 0)
        throw Error("in has " + std::to_string(in_size) + " bytes, expected rows of " +
                    std::to_string(row) + ", " + std::to_string(p.inputs()) + " numbers each");
      check_bytes<T>(out_size, rows, p.outputs(), "out");
      p.predict(static_cast<const T*>(in), p.inputs(), static_cast<T*>(out), p.outputs(), rows, s);
    });
  });
}

chainrule_status chainrule_predictor_predict_strided(const chainrule_predictor* predictor,
                                                     chainrule_scratch* scratch, const void* in,
                                                     int64_t in_stride, void* out,
                                                     int64_t out_stride, int64_t rows) {
  return translate_exceptions([&] {
    with_scratch(predictor, scratch, [&]<class T>(const Predictor<T>& p, auto& s) {
      require_non_null(in, "in");
      require_non_null(out, "out");
      if (rows < 0) throw Error("rows is " + std::to_string(rows) + ", expected 0 or more");
      p.predict(static_cast<const T*>(in), in_stride, static_cast<T*>(out), out_stride, rows, s);
    });
  });
}

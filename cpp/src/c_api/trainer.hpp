// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "c_api/network.hpp"
#include "chainrule/trainer.hpp"

namespace chainrule::c_api {

/// What a trainer has been set to, as JSON. Made where it is set, so that asking changes nothing.
struct Texts {
  std::string losses;
  std::string optimizer;
  std::string schedule;  // empty: none
};

struct TrainerObject final : Object {
  using Opaque = chainrule_trainer;
  static constexpr Kind kind = Kind::trainer;

  template <class T>
  TrainerObject(const NetworkObject& of, Trainer<T> trainer_, Texts texts_)
      : network(of.network),
        trainer(std::move(trainer_)),
        texts(std::move(texts_)),
        from_file(of.training) {}

  const AnyNetwork network;  // which the trainer refers to
  std::variant<Trainer<float>, Trainer<double>> trainer;
  Texts texts;
  const std::shared_ptr<const TrainingState> from_file;
  std::atomic<int> calls{0};  // under way
};

/// A trainer in a call: meanwhile it cannot be destroyed, by a callback of the call's neither.
class InCall {
 public:
  explicit InCall(const chainrule_trainer* handle)
      : object_(object_of<TrainerObject>(const_cast<chainrule_trainer*>(handle))) {
    object_.calls.fetch_add(1, std::memory_order_relaxed);
  }
  ~InCall() { object_.calls.fetch_sub(1, std::memory_order_release); }
  InCall(const InCall&) = delete;
  InCall& operator=(const InCall&) = delete;

  TrainerObject& operator*() const { return object_; }

 private:
  TrainerObject& object_;
};

inline const Graph& graph_of(const TrainerObject& object) {
  return std::visit([](const auto& network) -> const Graph& { return network->graph(); },
                    object.network);
}

/// The losses of the outputs that `given` says, or the record; throws Error where neither does.
std::vector<Loss> chosen_losses(const TrainingState& training, const char* given,
                                std::size_t outputs);
/// A weight for each loss; none where none are given.
std::vector<double> weights_of(const double* given, std::size_t losses);

std::string text_of(const Losses& losses);
std::string text_of(const std::optional<Schedule>& schedule);

}  // namespace chainrule::c_api

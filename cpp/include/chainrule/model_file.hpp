// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "chainrule/cxx20.hpp"
#include "chainrule/error.hpp"
#include "chainrule/export.h"
#include "chainrule/loss.hpp"
#include "chainrule/network.hpp"
#include "chainrule/optimizer.hpp"
#include "chainrule/quantization.hpp"
#include "chainrule/schedule.hpp"

/// Model files: a network with its parameters and the state of its training, in a safetensors file
/// that chainrule for Python writes and reads too. docs/model-format.md specifies every byte.
///
/// Nothing in a file is executed, and nothing in it is trusted: reading takes at most twice the
/// file's size of memory, with small weights ten times, and 1 MB, or throws ModelFileError. Paths
/// are UTF-8 on Windows.
namespace chainrule {

template <class T>
class Trainer;

/// The newest format version that is read; files are written in the oldest that can hold them.
inline constexpr std::int64_t model_format_version = 5;

/// What training needs to go on, beside what the network itself holds: its parameters, counters,
/// the optimizer's memory, and whether its Normalization layers are adapted.
struct TrainingState {
  std::optional<Loss> loss;
  std::optional<Optimizer> optimizer;
  /// The schedule of the learning rate, which replaces the optimizer's own number.
  std::optional<Schedule> schedule;
  /// What a reduce_on_plateau schedule remembers, and the value it watches: its name in Python's
  /// logs, and "min" or "max" for which of two is better.
  std::optional<Plateau> plateau;
  std::string monitor = "val_loss";
  std::string mode = "min";
  /// The network's total_steps() when the schedule began: its step 0.
  std::int64_t schedule_origin = 0;
  /// A JSON object of what else the file's record of the training holds, kept as it is: Python's
  /// metrics and history, and keys that this version does not know.
  std::string rest = "{}";
};

/// What a file holds.
template <class T>
struct Model {
  Network<T> network;
  TrainingState training;
  /// Of a file with small weights, which `network` has widened: a Predictor made with it gives the
  /// outputs of the one whose weights were saved.
  Quantization quantization = {};
};

/// Throws FileError when the file cannot be read, and ModelFileError when it is truncated, altered,
/// of a newer version, no model file, or of the other precision than T; any_model.hpp reads either.
template <class T = float>
CHAINRULE_API Model<T> load_model(const std::string& path);

/// The same from a file's content in memory.
template <class T = float>
CHAINRULE_API Model<T> read_model(std::string_view content);

/// Writes the old file or the new one at any instant; see write_atomically. Throws FileError when
/// it cannot be written, StateError when the network is in use by another thread, and Error when
/// something in `training` or `quantization` does not fit. The optimizer's memory is written when
/// `training.optimizer` would go on from it and the weights are not small ones.
template <class T>
CHAINRULE_API void save_model(const std::string& path, const Network<T>& network,
                              const TrainingState& training = {},
                              const Quantization& quantization = {});
/// The content of that file.
template <class T>
CHAINRULE_API std::string model_bytes(const Network<T>& network, const TrainingState& training = {},
                                      const Quantization& quantization = {});

/// A trainer of `network` that goes on where `training` says that another stopped, in Python or
/// C++. Throws Error when it names no loss or optimizer, or has a schedule that a Trainer cannot
/// follow.
template <class T>
CHAINRULE_API Trainer<T> resume_training(Network<T>& network, const TrainingState& training);
/// The same for these losses, which of several outputs no TrainingState has.
template <class T>
CHAINRULE_API Trainer<T> resume_training(Network<T>& network, const TrainingState& training,
                                         const Losses& losses);
/// What `trainer` needs to go on, for save_model; what only files know is taken from `previous`.
/// No thread may be training meanwhile.
template <class T>
CHAINRULE_API TrainingState training_state(const Trainer<T>& trainer, TrainingState previous = {});

/// The JSON text that describes the network and its training, after all checks that need no network
/// made; for programs that show what a file holds. Throws ModelFileError.
CHAINRULE_API std::string read_model_description(std::string_view content);

}  // namespace chainrule

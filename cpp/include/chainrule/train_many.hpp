// SPDX-License-Identifier: Apache-2.0
// Many trainings at once, such as those of folds, seeds or options that are compared. In C++:
//
//     std::vector<TrainingJob<float>> jobs;
//     for (Trainer<float>& trainer : trainers)
//       jobs.push_back({.trainer = &trainer, .x = view(x, 20), .y = targets(view(y, 1)),
//                       .options = {.epochs = 50, .rows = rows_of_fold[jobs.size()]}});
//     train_many<float>(jobs);
#pragma once

#include <cstdint>
#include <exception>
#include <span>
#include <vector>

#include "chainrule/callback.hpp"
#include "chainrule/cxx20.hpp"
#include "chainrule/data.hpp"
#include "chainrule/export.h"
#include "chainrule/trainer.hpp"

namespace chainrule {

/// One of many trainings: what Trainer::fit is given, and what came of it. The data that it refers
/// to must outlive the call; trainings may share them, each with its own FitOptions::rows.
template <class T>
struct TrainingJob {
  Trainer<T>* trainer = nullptr;  // of a network that no other job trains
  InputRows x = {};
  OutputTargets y = {};
  FitOptions options = {};  // num_threads has no effect

  std::vector<EpochReport> reports = {};
  std::exception_ptr error = {};  // what fit would have thrown; none where it would return
  bool finished = false;          // whether fit would have returned, or thrown; else it was stopped
};

/// How train_many runs.
struct TrainManyOptions {
  int num_threads = 0;  // for all trainings together; 0: default_num_threads()
  /// Called on the calling thread every 50 ms or so, with the number of trainings that have come to
  /// their end. True stops them all behind the batches that they are at, and so does an exception,
  /// which is passed on when all have stopped.
  Callback<bool(std::int64_t ended)> poll = {};
};

/// Trains each job's network as its trainer's fit would, to the same bits. The trainings are tasks
/// of one team of threads: each runs on a thread of its own, or on several where there are fewer
/// trainings than threads. Towards the end, when fewer are left than are worth a round, they take
/// turns by the epoch, so that no thread waits long for the last ones.
///
/// One that throws, for arguments that do not fit or a divergence, leaves that in its `error`, and
/// the others go on. Callbacks of a job's options are called on the thread that trains it, those of
/// one job never at the same time.
template <class T>
CHAINRULE_API void train_many(std::span<TrainingJob<T>> jobs, const TrainManyOptions& options = {});

}  // namespace chainrule

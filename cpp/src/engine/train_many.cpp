// SPDX-License-Identifier: Apache-2.0
// Many trainings as tasks of one team of threads. A thread takes the first training that waits,
// and trains until its end; once fewer than two for each thread are left, for an epoch, behind
// which the training waits at the end of the line. So n trainings of one length take n / threads of
// its time, and no more than two for each thread are under way at once, with their memory.
#include "chainrule/train_many.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "chainrule/error.hpp"
#include "engine/threads/arithmetic_mode.hpp"
#include "engine/threads/team.hpp"
#include "engine/threads/thread_count.hpp"
#include "engine/training_loop.hpp"

namespace chainrule::engine {

/// A call of train_many.
template <class T>
class ManyTrainings {
 public:
  ManyTrainings(std::span<TrainingJob<T>> jobs, const TrainManyOptions& options)
      : options_(options), caller_(std::this_thread::get_id()) {
    const int wanted = options.num_threads > 0 ? options.num_threads : default_threads();
    members_ =
        static_cast<int>(std::min<std::size_t>(jobs.size(), static_cast<std::size_t>(wanted)));
    for (TrainingJob<T>& job : jobs)
      tasks_.push_back(std::make_unique<Task>(job, *this, std::max(1, wanted / members_)));
    for (const auto& task : tasks_) waiting_.push_back(task.get());
    left_ = tasks_.size();
  }

  void run() {
    run_team(members_, [&](Team team) { work(static_cast<std::size_t>(team.size)); });
    for (const auto& task : tasks_) task->end();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  using State = typename Trainer<T>::State;
  static constexpr std::chrono::milliseconds kPollInterval{50};

  /// A training under way. It is on one thread at a time.
  class Task {
   public:
    Task(TrainingJob<T>& job, ManyTrainings& all, int threads)
        : job_(job), own_poll_(std::move(job.options.poll)), own_threads_(job.options.num_threads) {
      job.reports.clear();
      job.error = nullptr;
      job.finished = false;
      job.options.num_threads = threads;
      job.options.poll = [this, &all](std::int64_t batches, double loss) {
        if (own_poll_ && own_poll_(batches, loss)) return true;
        is_cut_short_ = all.is_stopped();
        return is_cut_short_;
      };
    }
    ~Task() {
      job_.options.poll = std::move(own_poll_);
      job_.options.num_threads = own_threads_;
    }
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;

    /// Trains for an epoch, and returns whether another may follow. Throws nothing.
    bool advance() {
      return attempt([&] {
        begin();
        const bool goes_on = loop_->advance();
        if (!goes_on) job_.finished = !is_cut_short_;
        return goes_on;
      });
    }

    /// Behind the last epoch.
    void end() {
      if (loop_)
        attempt([&] {
          loop_->end();
          return false;
        });
      if (loop_) job_.reports = loop_->take_reports();
      loop_.reset();
      if (process_) state().occupancy.end_changing(*std::exchange(process_, std::nullopt));
    }

   private:
    State& state() const { return *job_.trainer->state_; }

    void begin() {
      if (loop_) return;
      State& s = state();
      process_ = s.occupancy.begin_changing([&s] { s.recover(); });
      s.check(job_.x, job_.y, job_.options);
      loop_.emplace(s, job_.x, job_.y, job_.options);
      loop_->begin();
    }

    /// Calls `step` as the thread that uses the trainer, with the arithmetic that programs are used
    /// to. What it throws ends the training.
    template <class Step>
    bool attempt(Step step) {
      const ArithmeticMode mode(Denormals::kept);
      try {
        if (!job_.trainer) throw Error("a job has no trainer");
        State& s = state();
        s.user.store(std::this_thread::get_id(), std::memory_order_relaxed);
        const Occupancy::CallingBack within(s.occupancy);
        const bool goes_on = step();
        s.user.store(std::thread::id(), std::memory_order_relaxed);
        return goes_on;
      } catch (...) {
        if (job_.trainer) state().user.store(std::thread::id(), std::memory_order_relaxed);
        if (!job_.error) job_.error = std::current_exception();
        job_.finished = true;
        return false;
      }
    }

    TrainingJob<T>& job_;
    Callback<bool(std::int64_t, double)> own_poll_;
    const int own_threads_;
    // Whether the poll of all trainings has stopped this one, which then counts as unfinished.
    bool is_cut_short_ = false;
    std::optional<std::uint64_t> process_;  // which holds the trainer
    std::optional<typename State::Loop> loop_;
  };

  /// What each thread does.
  void work(std::size_t threads) {
    std::unique_lock lock(mutex_);
    while (!stopped_.load() && left_ > 0) {
      if (waiting_.empty()) {
        if (!is_caller()) {
          changed_.wait(lock);
          continue;
        }
        // The thread sanitizer of GCC 11 does not know a wait by the steady clock. Where this one
        // is set back, the end of a training ends the wait.
        changed_.wait_until(lock, std::chrono::system_clock::now() + kPollInterval);
        lock.unlock();
        ask();
        lock.lock();
        continue;
      }
      Task& task = *waiting_.front();
      waiting_.pop_front();
      bool goes_on = true;
      do {
        lock.unlock();
        goes_on = task.advance();
        if (!goes_on && !stopped_.load()) task.end();
        ask();
        lock.lock();
      } while (goes_on && !stopped_.load() && (left_ >= 2 * threads || waiting_.empty()));
      if (goes_on) {
        waiting_.push_back(&task);
      } else {
        --left_;
      }
      changed_.notify_all();
    }
  }

  bool is_caller() const { return std::this_thread::get_id() == caller_; }

  /// Called between batches.
  bool is_stopped() {
    ask();
    return stopped_.load();
  }

  /// On the calling thread, asks whether all is to stop.
  void ask() {
    if (!options_.poll || stopped_.load() || !is_caller()) return;
    if (Clock::now() - asked_ < kPollInterval) return;
    bool stops = true;
    std::int64_t ended = 0;
    {
      const std::lock_guard lock(mutex_);
      ended = static_cast<std::int64_t>(tasks_.size() - left_);
    }
    const ArithmeticMode mode(Denormals::kept);
    try {
      stops = options_.poll(ended);
    } catch (...) {
      error_ = std::current_exception();
    }
    asked_ = Clock::now();
    if (!stops) return;
    stopped_.store(true);
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

  const TrainManyOptions& options_;
  const std::thread::id caller_;
  Clock::time_point asked_ = Clock::now();
  int members_ = 1;
  std::vector<std::unique_ptr<Task>> tasks_;
  std::exception_ptr error_;  // of the poll
  std::atomic<bool> stopped_{false};

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::deque<Task*> waiting_;
  std::size_t left_ = 0;  // not at their end
};

}  // namespace chainrule::engine

namespace chainrule {

template <class T>
void train_many(std::span<TrainingJob<T>> jobs, const TrainManyOptions& options) {
  if (!jobs.empty()) engine::ManyTrainings<T>(jobs, options).run();
}

template void train_many(std::span<TrainingJob<float>>, const TrainManyOptions&);
template void train_many(std::span<TrainingJob<double>>, const TrainManyOptions&);

}  // namespace chainrule

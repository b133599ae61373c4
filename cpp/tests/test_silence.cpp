// SPDX-License-Identifier: Apache-2.0
// Predictions neither allocate nor lock nor call the system: counted by taking the place of the C
// library's functions, and by a filter that kills a process at its first system call.
#include <doctest/doctest.h>

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "c_handles.hpp"
#include "chainrule/convolution_layers.hpp"
#include "chainrule/recurrent_layers.hpp"
#include "chainrule/streaming_predictor.hpp"
#include "networks.hpp"

#if defined(__linux__) && !defined(CHAINRULE_TEST_EMULATED)
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

namespace {

std::atomic<bool> counting{false};
std::atomic<int64_t> allocations{0};
std::atomic<int64_t> locks{0};

void count(std::atomic<int64_t>& what) {
  if (counting.load(std::memory_order_relaxed)) ++what;
}

/// The function that the one of this name here hides.
template <class F>
F* hidden(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

// glibc's own names for what is replaced below; dlsym itself may allocate.
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) {
  count(allocations);
  return __libc_malloc(size);
}
void* calloc(std::size_t n, std::size_t size) {
  count(allocations);
  return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t size) {
  count(allocations);
  return __libc_realloc(p, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  count(allocations);
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count(allocations);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t size) {
  count(allocations);
  *p = __libc_memalign(alignment, size);
  return *p ? 0 : 12;
}
void free(void* p) {
  count(allocations);
  __libc_free(p);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static auto* const real = hidden<int(pthread_mutex_t*)>("pthread_mutex_lock");
  count(locks);
  return real(mutex);
}
int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  static auto* const real = hidden<int(pthread_mutex_t*)>("pthread_mutex_trylock");
  count(locks);
  return real(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t* lock) noexcept {
  static auto* const real = hidden<int(pthread_rwlock_t*)>("pthread_rwlock_rdlock");
  count(locks);
  return real(lock);
}
int pthread_spin_lock(pthread_spinlock_t* lock) noexcept {
  static auto* const real = hidden<int(pthread_spinlock_t*)>("pthread_spin_lock");
  count(locks);
  return real(lock);
}
int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  static auto* const real = hidden<int(pthread_cond_t*, pthread_mutex_t*)>("pthread_cond_wait");
  count(locks);
  return real(condition, mutex);
}
int sem_wait(sem_t* semaphore) {
  static auto* const real = hidden<int(sem_t*)>("sem_wait");
  count(locks);
  return real(semaphore);
}
}

namespace {

using namespace chainrule;
using namespace chainrule::testing;

constexpr int kThreads = 4;
#if defined(CHAINRULE_TEST_EMULATED)
constexpr int64_t kCalls = 2'500;
#else
constexpr int64_t kCalls = 250'000;  // a thread, 10^6 in all
#endif

Network<float> policy() {
  return {{Rescaling(0.5), dense(64, Activation::Kind::relu), LayerNormalization(),
           dense(64, Activation::Kind::tanh), BatchNormalization(), Dropout(0.1), dense(4)},
          8,
          1};
}

/// Frame by frame through each kind of layer that remembers some.
class Stream {
 public:
  void run(int64_t frames) {
    std::array<float, 3> in{0.25f, 0.5f, -1.0f};
    std::array<float, 2> out{};
    for (int64_t frame = 0; frame < frames; ++frame) {
      predictor_.step(in.data(), out.data(), state_);
      in[static_cast<size_t>(frame % 3)] = out[0];
    }
    kept_.copy_from(state_);
    state_.reset();
    predictor_.step_checked(in, out, kept_);
  }

 private:
  static Network<float> network() {
    Conv1D conv(8, {3}, Activation::defaults(Activation::Kind::relu));
    conv.padding = Padding::causal;
    conv.dilation = {2};
    GRU gru(7);
    LSTM lstm(6);
    gru.return_sequences = lstm.return_sequences = true;
    return Network<float>(Graph::chain({conv, gru, lstm, SimpleRNN(5), dense(2)}, {4, 3}));
  }

  StreamingPredictor<float> predictor_{network()};
  StreamingPredictor<float>::StreamState state_{predictor_};
  StreamingPredictor<float>::StreamState kept_{predictor_};
};

/// Four threads that are ready to predict, with weights that came in after their last prediction.
class Team {
 public:
  /// before() and after() run on each thread around its predictions.
  Team(const std::function<void()>& before, const std::function<void()>& after)
      : network_(policy()), predictor_(network_, Loss::Link::softmax) {
    for (int i = 0; i < kThreads; ++i) {
      threads_.emplace_back([this, before, after] {
        Predictor<float>::Scratch scratch(predictor_);
        Predictor<float>::Scratch several(predictor_, 3);
        std::vector<float> in(24, 0.25f), out(12);
        predictor_.predict(in.data(), out.data(), scratch);
        ++ready_;
        while (!go_.load()) {
        }
        before();
        for (int64_t call = 0; call < kCalls; ++call) {
          predictor_.predict(in.data(), out.data(), scratch);
          in[static_cast<size_t>(call % 8)] = static_cast<float>(call % 100) / 100.0f;
        }
        predictor_.predict(in.data(), 8, out.data(), 4, 3, several);
        ++done_;
        after();
        while (!leave_.load()) std::this_thread::yield();  // not while others are counted
      });
    }
    while (ready_.load() < kThreads) std::this_thread::yield();
    predictor_.update(network_);
  }
  ~Team() {
    leave_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  void run() {
    go_ = true;
    while (done_.load() < kThreads) {
    }
  }

 private:
  Network<float> network_;
  Predictor<float> predictor_;
  std::vector<std::thread> threads_;
  std::atomic<int> ready_{0};
  std::atomic<int> done_{0};
  std::atomic<bool> go_{false};
  std::atomic<bool> leave_{false};
};

}  // namespace

TEST_CASE("the counters count") {
  // The compiler would leave out what has no visible effect.
  static void* volatile kept;
  static std::vector<int>* volatile kept_vector;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  allocations = locks = 0;
  counting = true;
  kept = std::malloc(3);
  std::free(kept);
  kept_vector = new std::vector<int>(3);
  delete kept_vector;
  pthread_mutex_lock(&mutex);
  counting = false;
  pthread_mutex_unlock(&mutex);
  CHECK(allocations.load() >= 4);
  CHECK(locks.load() == 1);
}

TEST_CASE("a million predictions from four threads neither allocate nor lock") {
  Team team([] {}, [] {});
  allocations = locks = 0;
  counting = true;
  team.run();
  counting = false;
  CHECK(allocations.load() == 0);
  CHECK(locks.load() == 0);
}

TEST_CASE("frames of a sequence neither allocate nor lock") {
  Stream stream;
  allocations = locks = 0;
  counting = true;
  stream.run(kCalls / 10);
  counting = false;
  CHECK(allocations.load() == 0);
  CHECK(locks.load() == 0);
}

TEST_CASE("predictions through the C interface neither allocate nor lock") {
  const CNetwork network = c_network();
  const std::array<float, 4> ranges{-1, 1, -1, 1};
  chainrule_predictor_options options{};
  options.struct_size = sizeof options;
  SUBCASE("float weights") {}
  SUBCASE("bfloat16 weights") { options.weights = CHAINRULE_WEIGHTS_BFLOAT16; }
  SUBCASE("int8 weights") {
    options.weights = CHAINRULE_WEIGHTS_INT8;
    options.ranges = ranges.data();
    options.ranges_count = 4;
  }
  chainrule_predictor* made = nullptr;
  REQUIRE(chainrule_predictor_create(network.get(), &options, &made) == CHAINRULE_OK);
  const CPredictor predictor(made);
  const CScratch scratch = c_scratch(predictor);
  std::vector<float> in(8, 0.25f), out(4);
  const auto predict = [&](std::size_t rows) {
    return chainrule_predictor_predict(predictor.get(), scratch.get(), in.data(), 16 * rows,
                                       out.data(), 8 * rows);
  };
  bool all = predict(1) == CHAINRULE_OK;
  allocations = locks = 0;
  counting = true;
  for (int64_t call = 0; call < kCalls; ++call) all &= predict(1) == CHAINRULE_OK;
  all &= predict(2) == CHAINRULE_OK;
  all &= chainrule_predictor_predict_strided(predictor.get(), scratch.get(), in.data(), 1,
                                             out.data(), 2, 2) == CHAINRULE_OK;
  counting = false;
  CHECK(all);
  CHECK(allocations.load() == 0);
  CHECK(locks.load() == 0);
}

#if defined(__linux__) && !defined(CHAINRULE_TEST_EMULATED)

namespace {

/// From here on this thread may only end; any other system call kills the process.
void forbid_system_calls() {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog program{4, rules};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    _exit(3);
  }
}

/// How a child process that runs `body` ends.
int status_of(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

bool ended(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

}  // namespace

TEST_CASE("the filter kills at a system call") {
  const int status = status_of([] {
    forbid_system_calls();
    syscall(SYS_getpid);
  });
  CHECK(WIFSIGNALED(status));
}

TEST_CASE("frames of a sequence make no system call") {
  const int status = status_of([] {
    Stream stream;
    forbid_system_calls();
    stream.run(kCalls / 10);
    syscall(SYS_exit, 0);
  });
  CAPTURE(status);
  CHECK(ended(status));
}

TEST_CASE("a million predictions from four threads make no system call") {
  const int status = status_of([] {
    Team team(forbid_system_calls, [] { syscall(SYS_exit, 0); });
    team.run();
    _exit(0);  // its threads have ended without telling the C library
  });
  CAPTURE(status);
  CHECK(ended(status));
}

#endif

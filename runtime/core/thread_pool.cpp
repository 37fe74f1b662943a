#include "runtime/core/thread_pool.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include "runtime/core/processors.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace graft {
namespace {

/// How long a thread looks for what comes next before it sleeps: longer than what lies between two kernels of a
/// network, shorter than what anybody else would miss.
constexpr auto kSpin = std::chrono::microseconds(200);
constexpr size_t kRegions = 32;  // open at the same time; one more runs in its own thread alone
constexpr int64_t kMostHelpers = 1023;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

/// Whether `done` came true while this thread was spinning.
template <typename Condition>
bool spin_until(const Condition& done) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

struct alignas(64) NextPart {
  std::atomic<int64_t> next{0};
};

/// What one parallel region shares. Regions outlive their use, so that a thread that looks late finds one that is
/// closed, and not freed memory.
class alignas(64) Region {
 public:
  /// Whether it is the caller's from now on.
  bool take() { return !taken_.load(std::memory_order_relaxed) && !taken_.exchange(true, std::memory_order_acquire); }
  void give_back() { taken_.store(false, std::memory_order_release); }

  /// Whether so many threads can share it: false where there is no memory for that.
  bool has_room(int64_t threads) {
    if (threads <= capacity_) return true;
    shares_.reset(new (std::nothrow) NextPart[static_cast<size_t>(threads)]);
    capacity_ = shares_ ? threads : 0;
    return shares_ != nullptr;
  }
  void open(int64_t parts, int64_t threads, RegionBody body, void* context) {
    parts_ = parts;
    threads_ = threads;
    body_ = body;
    context_ = context;
    for (int64_t s = 0; s < threads; ++s) share(s).store(first_of(s), std::memory_order_relaxed);
    left_.store(parts, std::memory_order_relaxed);
    state_.store(kOpen | static_cast<uint32_t>(threads - 1) << kSeatShift, std::memory_order_seq_cst);
  }
  /// No thread joins any more; returns when those that have are out.
  void close() {
    uint32_t state = state_.fetch_and(kInside, std::memory_order_acq_rel) & kInside;
    while (state != 0) {
      // A helper that does not run needs a processor more than a waiting thread does.
      if (!spin_until([&] { return state_.load(std::memory_order_acquire) == 0; }))
        state_.wait(state, std::memory_order_acquire);
      state = state_.load(std::memory_order_acquire);
    }
  }

  /// Takes part as the thread that opened it.
  void lead() { work(0, 0); }
  /// Takes part where a seat is free. `preferred`: the share to begin with.
  bool help(int64_t preferred) {
    uint32_t state = state_.load(std::memory_order_acquire);
    do {
      if (!(state & kOpen) || (state & kSeats) == 0) return false;
    } while (!state_.compare_exchange_weak(state, state - kSeat + 1, std::memory_order_acq_rel));
    const auto free_seats = static_cast<int64_t>((state & kSeats) >> kSeatShift);
    const int64_t slot = threads_ - free_seats;  // 1 for the first that joins
    work(slot, preferred < threads_ ? preferred : slot);
    if (state_.fetch_sub(1, std::memory_order_acq_rel) == 1) state_.notify_one();
    return true;
  }

 private:
  // Of state_: whether threads may join, how many still can, how many are inside.
  static constexpr uint32_t kOpen = uint32_t{1} << 31, kInside = 0xffff, kSeats = kOpen - 1 - kInside;
  static constexpr int kSeatShift = 16;
  static constexpr uint32_t kSeat = uint32_t{1} << kSeatShift;
  static_assert(kMostHelpers << kSeatShift <= int64_t{kSeats});

  std::atomic<int64_t>& share(int64_t s) { return shares_[static_cast<size_t>(s)].next; }
  int64_t first_of(int64_t s) const { return parts_ * s / threads_; }

  void work(int64_t slot, int64_t preferred) {
    for (int64_t i = 0; i < threads_ && left_.load(std::memory_order_relaxed) > 0; ++i) {
      const int64_t s = preferred + i < threads_ ? preferred + i : preferred + i - threads_, end = first_of(s + 1);
      while (share(s).load(std::memory_order_relaxed) < end) {
        const int64_t part = share(s).fetch_add(1, std::memory_order_relaxed);
        if (part >= end) break;
        left_.fetch_sub(1, std::memory_order_relaxed);
        body_(context_, part, slot);
      }
    }
  }

  std::atomic<bool> taken_{false};
  std::atomic<uint32_t> state_{0};
  int64_t parts_ = 0, threads_ = 0, capacity_ = 0;
  RegionBody body_ = nullptr;
  void* context_ = nullptr;
  std::unique_ptr<NextPart[]> shares_;
  alignas(64) std::atomic<int64_t> left_{0};  // parts that nobody has begun
};

thread_local int thread_count_ = 0;  // 0: as many as there are processors
thread_local bool inside_ = false;   // a region's body runs

class ThreadPool {
 public:
  /// Never destroyed: its threads wait in it until the process ends. A forked process, which has none of them, begins
  /// with a pool of its own.
  static ThreadPool& shared() {
    static const bool made = [] {
      renew();
      pthread_atfork(nullptr, nullptr, renew);
      return true;
    }();
    static_cast<void>(made);
    return *pool_.load(std::memory_order_acquire);
  }

  void run(int64_t parts, int64_t threads, RegionBody body, void* context) {
    Region* const region = free_region();
    if (!region || !region->has_room(threads)) {
      if (region) region->give_back();
      for (int64_t part = 0; part < parts; ++part) body(context, part, 0);
      return;
    }
    have_helpers(threads - 1);
    region->open(parts, threads, body, context);
    opened_.fetch_add(1, std::memory_order_seq_cst);
    wake(threads - 1);
    region->lead();
    region->close();
    region->give_back();
  }

 private:
  static void renew() { pool_.store(new ThreadPool, std::memory_order_release); }

  Region* free_region() {
    for (Region& region : regions_)
      if (region.take()) return &region;
    return nullptr;
  }

  /// Starts threads until there are as many, or as the system gives.
  void have_helpers(int64_t count) {
    if (count <= helpers_.load(std::memory_order_acquire)) return;
    const std::lock_guard lock(starting_);
    if (refused_) return;
    // Signals are for the threads of the program, but for those that a fault of this thread's own raises.
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&blocked, fault);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    try {
      for (int64_t i = helpers_.load(std::memory_order_relaxed); i < count; ++i) {
        std::thread([this, i] { help_for_ever(i + 1); }).detach();
        helpers_.store(i + 1, std::memory_order_release);
      }
    } catch (const std::exception&) {
      refused_ = true;  // the threads that there are do the work, and nobody asks again at each region
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void wake(int64_t wanted) {
    const int64_t asleep = asleep_.load(std::memory_order_seq_cst);
    const int64_t missing = std::min(wanted - spinning_.load(std::memory_order_seq_cst), asleep);
    if (missing >= asleep && asleep > 0) {
      opened_.notify_all();
      return;
    }
    for (int64_t i = 0; i < missing; ++i) opened_.notify_one();
  }

  [[noreturn]] void help_for_ever(int64_t preferred) {
    inside_ = true;
    for (;;) {
      const uint32_t seen = opened_.load(std::memory_order_seq_cst);
      bool helped = false;
      for (Region& region : regions_) helped |= region.help(preferred);
      if (helped) continue;
      spinning_.fetch_add(1, std::memory_order_seq_cst);
      const bool opened = spin_until([&] { return opened_.load(std::memory_order_acquire) != seen; });
      spinning_.fetch_sub(1, std::memory_order_seq_cst);
      if (opened) continue;
      asleep_.fetch_add(1, std::memory_order_seq_cst);
      opened_.wait(seen, std::memory_order_seq_cst);
      asleep_.fetch_sub(1, std::memory_order_seq_cst);
    }
  }

  static inline std::atomic<ThreadPool*> pool_{nullptr};
  std::array<Region, kRegions> regions_;
  alignas(64) std::atomic<uint32_t> opened_{0};  // regions, since the process began
  alignas(64) std::atomic<int64_t> spinning_{0};
  std::atomic<int64_t> asleep_{0};
  std::atomic<int64_t> helpers_{0};
  std::mutex starting_;
  bool refused_ = false;  // the system gives no more threads
};

/// OMP_NUM_THREADS, which people and batch systems set for whatever computes, else all processors.
int usual_thread_count() {
  static const int count = [] {
    const char* const text = std::getenv("OMP_NUM_THREADS");
    const int wanted = text ? std::atoi(text) : 0;
    return wanted > 0 ? wanted : usable_processors();
  }();
  return count;
}

}  // namespace

int thread_count() {
  if (inside_) return 1;
  return thread_count_ > 0 ? thread_count_ : usual_thread_count();
}

int set_thread_count(int threads) { return std::exchange(thread_count_, std::max(threads, 0)); }

void run_region(int64_t parts, int64_t threads, RegionBody body, void* context) noexcept {
  threads = std::min({threads, parts, kMostHelpers + 1});
  const bool nested = inside_;
  inside_ = true;
  if (threads <= 1 || nested) {
    for (int64_t part = 0; part < parts; ++part) body(context, part, 0);
  } else {
    ThreadPool::shared().run(parts, threads, body, context);
  }
  inside_ = nested;
}

}  // namespace graft

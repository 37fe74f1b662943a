#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace graft::app {

struct BatchLimits {
  size_t batch = 16;  // jobs that run at a time
  /// The oldest job waits at most so long for others, or a twentieth of the time that a batch takes;
  /// 0: not at all.
  std::chrono::milliseconds delay{2};
  size_t waiting = 256;  // jobs that wait; more are refused
};

/// Dynamic batching: jobs that come one by one run several at a time, in threads of its own; with one thread in their
/// order.
template <typename Job>
class Batcher {
 public:
  /// `run` must not throw.
  Batcher(const BatchLimits& limits, std::function<void(std::vector<Job>)> run, unsigned threads = 1)
      : limits_(limits), run_(std::move(run)) {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;
  /// Runs what waits.
  ~Batcher() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  /// All of the jobs, or none: false where too many wait.
  bool add(std::vector<Job> jobs) {
    {
      const std::lock_guard lock(mutex_);
      if (jobs_.size() + jobs.size() > limits_.waiting) return false;
      for (Job& job : jobs) jobs_.emplace_back(Clock::now(), std::move(job));
    }
    changed_.notify_all();
    return true;
  }
  size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return jobs_.size();
  }

 private:
  using Clock = std::chrono::steady_clock;
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      // As many as may come are waited for; whoever asks alone does not wait for nobody.
      const Clock::duration delay =
          limits_.delay.count() == 0 ? Clock::duration(0) : std::max<Clock::duration>(limits_.delay, usual_ / 20);
      changed_.wait_until(lock, jobs_.front().first + delay,
                          [this] { return ending_ || jobs_.size() >= std::min(limits_.batch, expected_); });
      if (jobs_.empty()) continue;  // another thread was faster
      std::vector<Job> batch;
      for (; !jobs_.empty() && batch.size() < limits_.batch; jobs_.pop_front())
        batch.push_back(std::move(jobs_.front().second));
      const size_t running = batch.size();
      lock.unlock();
      const Clock::time_point start = Clock::now();
      run_(std::move(batch));
      lock.lock();
      // Whoever was answered asks again, where that is how they come.
      expected_ = running + jobs_.size();
      usual_ = std::max(Clock::now() - start, usual_ * 9 / 10);
    }
  }

  BatchLimits limits_;
  std::function<void(std::vector<Job>)> run_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<Clock::time_point, Job>> jobs_;
  size_t expected_ = 1;       // jobs that the next batch may have
  Clock::duration usual_{0};  // what the larger batches of late took
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace graft::app

#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace graft::app {

/// Requests of each client by a token bucket: `rate` a second, twice as many at once. Thread-safe.
class RateLimit {
 public:
  /// 0: no limit.
  explicit RateLimit(double rate) : rate_(rate) {}

  /// Whether the client may have one more now.
  bool take(const std::string& client) {
    if (rate_ <= 0) return true;
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    // Whoever has a full bucket again is as good as new.
    if (buckets_.size() > kMostClients)
      std::erase_if(buckets_, [&](const auto& b) { return filled(b.second, now) >= most(); });
    Bucket& bucket = buckets_.try_emplace(client, Bucket{most(), now}).first->second;
    bucket = {filled(bucket, now), now};
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

 private:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr size_t kMostClients = 10000;
  struct Bucket {
    double tokens;
    Time at;
  };
  double most() const { return std::max(1.0, 2 * rate_); }
  double filled(const Bucket& bucket, Time now) const {
    return std::min(most(), bucket.tokens + rate_ * std::chrono::duration<double>(now - bucket.at).count());
  }

  double rate_;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace graft::app

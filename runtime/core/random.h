#pragma once

#include <cmath>
#include <cstdint>

#include "runtime/core/host_device.h"

namespace graft {

/// Counter-based random numbers: a value is a function of (key, counter) alone, so threads and order never change it.
/// The mixer is SplitMix64's finaliser [Steele et al. 2014].
GRAFT_DEVICE inline uint64_t mix(uint64_t key, uint64_t counter) {
  uint64_t z = key + 0x9e3779b97f4a7c15ull * (counter + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

/// Uniform in [0, 1).
GRAFT_DEVICE inline float uniform(uint64_t key, uint64_t counter) {
  return static_cast<float>(mix(key, counter) >> 40) * 0x1p-24f;
}

/// A stream of random numbers for one purpose, made from its key.
class Random {
 public:
  explicit Random(uint64_t key) : key_(key) {}
  float uniform() { return graft::uniform(key_, counter_++); }
  float uniform(float low, float high) { return low + (high - low) * uniform(); }
  uint64_t bits() { return mix(key_, counter_++); }
  /// 0…n-1
  uint64_t below(uint64_t n) { return n == 0 ? 0 : mix(key_, counter_++) % n; }
  /// Standard normal [Box & Muller 1958].
  float normal() {
    const float radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(6.2831853f * uniform());
  }

 private:
  uint64_t key_, counter_ = 0;
};

}  // namespace graft

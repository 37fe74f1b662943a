#pragma once

#include <cmath>
#include <vector>

#include "finetune/selection/linear_candidate.h"

namespace graft::overlapping {

inline constexpr size_t kPictures = 45, kWidth = 6;

/// Features of three classes that overlap, kPictures × kWidth.
inline std::vector<float> figures() {
  std::vector<float> x;
  for (size_t i = 0; i < kPictures; ++i)
    for (size_t d = 0; d < kWidth; ++d) {
      const auto a = static_cast<double>(i), b = static_cast<double>(d);
      x.push_back(static_cast<float>((1 + b) * (std::sin(1.3 * a + 0.7 * b * a + b) + (d % 3 == i % 3 ? 0.8 : 0.0))));
    }
  return x;
}

inline ClassTargets targets() {
  ClassTargets t;
  t.classes = 3;
  for (size_t i = 0; i < kPictures; ++i) {
    t.labels.push_back(static_cast<int>(i % 3));
    t.fold.push_back(static_cast<int>(i / 3 % 5));
  }
  return t;
}

}  // namespace graft::overlapping

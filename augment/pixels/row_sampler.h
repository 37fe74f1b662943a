#pragma once

#include <cstdint>
#include <vector>

#include "augment/pixels/image.h"
#include "augment/pixels/warp.h"

namespace graft {

/// Makes one row after the other from what a picture has at places between its pixels. The same bits whichever
/// instruction set does it. Not thread-safe.
class RowSampler {
 public:
  /// `width`: pixels of a row that is made. The source must outlive it.
  RowSampler(const Image& source, int64_t width, const Sampling& sampling);
  /// Begins a row.
  void clear();
  /// Adds what stands at these places, one a pixel of the row. Not a number is outside.
  void add(const float* xs, const float* ys);
  /// Writes the row: the means of what was added `times` times (at most 256).
  void write(int times, uint8_t* out) const;

 private:
  void place(const float* xs, const float* ys);

  const Image& source_;
  size_t width_;
  int32_t fill_[3];
  bool nearest_;
  // Of each pixel: the byte where its upper left tap is, or -1, and the weights of its taps in 1/16384: the upper left
  // one and the one beside it, then the lower ones, two to a number.
  std::vector<int32_t> offsets_, upper_, lower_;
  std::vector<int32_t> sums_;  // width × 4, the last of four unused
};

}  // namespace graft

#pragma once

#include <cstdint>
#include <vector>

namespace graft {

/// For each output pixel of a resampling: the first input pixel, how many, and their weights. Fixed point as Pillow's
/// Resample.c: 8-bit pixels, weights that sum to 1 in 22 bits, a sign and a carry.
struct ResampleWeights {
  static constexpr int kPrecisionBits = 32 - 8 - 2;
  int64_t taps = 0;                   // at most
  std::vector<int64_t> first, count;  // one an output pixel
  std::vector<int32_t> values;        // output × taps; 0 from `count` on
};

/// Rows of RGB pixels, resampled along x. The same bits whichever instruction set does it.
class RowResampler {
 public:
  /// The weights must outlive it.
  explicit RowResampler(const ResampleWeights& weights);
  /// `row`: pixels × 3 bytes, beyond which up to slack() may be read. `out`: outputs × 3 bytes.
  void operator()(const uint8_t* row, uint8_t* out) const;
  int64_t slack() const { return 12 * groups_ + 16; }

 private:
  const ResampleWeights& weights_;
  int64_t groups_ = 0;           // of four taps, of each output
  std::vector<int16_t> packed_;  // for vector units: output × group × {upper, lower half} × 16; empty without them
};

/// out[i] = Σ weights[k]·rows[k·stride + i] of `count` rows. The same bits whichever instruction set does it.
void resample_column(const uint8_t* rows, int64_t stride, const int32_t* weights, int64_t count, int64_t bytes,
                     uint8_t* out);

}  // namespace graft

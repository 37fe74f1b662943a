#pragma once

#include <array>
#include <vector>

#include "runtime/core/index_range.h"
#include "runtime/core/tensor.h"
#include "runtime/cpu/vector/split_tiles.h"
#include "runtime/ops/window.h"

namespace graft::cpu {

/// A convolution's sums by SplitTiles: result[pixel][n] = Σ over taps and channels of source[pixel moved by the
/// tap][c]·w[tap][c][n]. Pictures are channels-last, their channels multiples of 16.
class SplitProductOverPixels {
 public:
  struct Tap {
    int64_t y, x;    // added to a source pixel's place
    int64_t weight;  // which of the filter's taps
  };
  /// Pixels of the result that use the same taps: pixel (i, j) of the phase is the result's (top + i·step.height, left
  /// + j·step.width) and meets the source's (i·stride.height + tap.y, j·stride.width + tap.x), or nothing where that is
  /// outside.
  struct Phase {
    int64_t rows, columns, top, left;
    Extent2d step, stride;
    std::vector<Tap> taps;
  };
  /// Of a convolution x → y.
  static std::vector<Phase> forward(const Window2d& window, const Shape& y);
  /// Of its gradient dy → dx: a stride divides dx into phases.
  static std::vector<Phase> backward(const Window2d& window, const Shape& dx);

  /// How a weight is found: (k, n) of tap t at w[k·k_stride + n·n_stride + t].
  struct WeightStrides {
    int64_t k, n;
  };

  /// `beside`: arrays of the result's size that AfterBlock reads.
  SplitProductOverPixels(const Shape& source, const Shape& result, std::vector<Phase> phases, WeightStrides strides,
                         int64_t beside = 0);

  int64_t columns() const { return columns_; }
  int64_t packed_elements() const { return packed_bytes_ / static_cast<int64_t>(sizeof(float)); }
  void pack(const float* w, float* packed) const;

  /// Sees each block of results while it is in the cache; the blocks of one of kRowPieces pieces in order. Only where
  /// the result is one phase, whole, and threads share its pixels.
  class AfterBlock {
   public:
    virtual void see(int64_t piece, int64_t row, int64_t rows) const = 0;

   protected:
    ~AfterBlock() = default;
  };
  bool has_pieces() const { return dense_ && !split_columns_; }
  /// The same blocks afterwards, where run() could not show them: sums over them come out the same.
  void see_all(const AfterBlock& after) const;

  size_t scratch_bytes() const { return thread_bytes_ * static_cast<size_t>(threads_); }
  /// `beside`: read by `after`, fetched ahead.
  void run(const float* source, const float* packed, const TileTail& tail, float* result, void* scratch,
           const AfterBlock* after = nullptr, std::array<const float*, 2> beside = {}) const;

 private:
  struct Call;

  template <typename Body>
  void for_blocks(IndexRange range, const Body& body) const;
  int64_t rows(const Phase& phase) const { return images_ * phase.rows * phase.columns; }
  int64_t steps(const Phase& phase) const { return static_cast<int64_t>(phase.taps.size()) * tap_steps_; }
  void run_block(const Phase& phase, const std::byte* packed, IndexRange rows, IndexRange columns, const Call& call,
                 std::byte* scratch) const;
  void pack_sources(const Phase& phase, IndexRange rows, IndexRange steps, int64_t height, const float* source,
                    const float** lines, std::byte* to, int64_t tile) const;
  void locate_results(const Phase& phase, IndexRange rows, float* result, float** lines) const;

  const SplitTiles& tiles_;
  std::vector<Phase> phases_;
  WeightStrides strides_;
  int64_t images_, source_height_, source_width_, result_height_, result_width_, depth_, columns_;
  int64_t tap_steps_;  // of the depth, for one tap
  int64_t largest_steps_ = 0, largest_rows_ = 0;
  int64_t packed_bytes_ = 0;
  int threads_;
  bool dense_, split_columns_;
  int64_t block_rows_, block_steps_;
  size_t a_bytes_, sums_bytes_, thread_bytes_;
};

}  // namespace graft::cpu

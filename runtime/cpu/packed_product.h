#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include "runtime/core/index_range.h"
#include "runtime/core/parallel.h"
#include "runtime/cpu/row_pieces.h"
#include "runtime/cpu/vector/tiles.h"
#include "runtime/cpu/vector/transpose.h"
#include "runtime/cpu/vector/vector.h"

namespace graft::cpu {

/// Where the pixels of the smaller picture lie in the larger one.
struct PixelSampling {
  int64_t small_height, small_width, large_height, large_width, stride_y, stride_x;
  bool dense() const {
    return stride_y == 1 && stride_x == 1 && small_height == large_height && small_width == large_width;
  }
  int64_t large_pixels(int64_t small_pixels) const {
    return small_pixels / (small_height * small_width) * large_height * large_width;
  }
  /// Of rows that lie one behind the other.
  static PixelSampling every_row(int64_t rows) { return {rows, 1, rows, 1, 1, 1}; }
  int64_t large_index(int64_t small_index) const {
    const int64_t x = small_index % small_width, rest = small_index / small_width;
    const int64_t y = rest % small_height, image = rest / small_height;
    return (image * large_height + y * stride_y) * large_width + x * stride_x;
  }
};

/// Result[m][n] = Σ_k source[m][k]·weights[k][n] over `rows` pixels, or rows of a matrix; depth and columns are
/// multiples of 16. Each sum is one chain over k, whatever the number of threads.
class PackedProduct {
 public:
  /// `read_again`: with other arrays of the result's size.
  PackedProduct(int64_t rows, int64_t depth, int64_t columns, bool read_again = false)
      : rows_(rows), depth_(depth), columns_(columns), threads_(thread_count()) {
    // Few pixels: threads share the columns, so that each reads only its part of the weights.
    split_columns_ = rows_ < int64_t{threads_} * tiles_.rows * 4;
    block_ = tiles_.rows *
             (read_again ? std::clamp<int64_t>(kBlockResults / (tiles_.rows * columns), 2, kBlockTiles) : kBlockTiles);
    depth_block_ = (depth_ / 16 + blocks() - 1) / blocks() * 16;
  }

  int64_t columns() const { return columns_; }
  int64_t packed_elements() const { return tiles_.panels(columns_) * depth_ * tiles_.columns; }

  /// weight(k, n) is at w[k·k_stride + n·n_stride].
  void pack(const float* w, int64_t k_stride, int64_t n_stride, float* packed) const {
    const int64_t width = tiles_.columns;
    parallel_for(tiles_.panels(columns_), 1, [&](int64_t first, int64_t last) {
      for (int64_t panel = first; panel < last; ++panel) {
        const int64_t n0 = panel * width, n1 = std::min(columns_, n0 + width);
        float* to = packed + panel * depth_ * width;
        if (n_stride == 1) {
          for (int64_t k = 0; k < depth_; ++k) std::copy_n(w + k * k_stride + n0, n1 - n0, to + k * width);
        } else if (k_stride == 1) {
          transposition().copy(n1 - n0, depth_, w + n0 * n_stride, n_stride, 1, to, width);
        } else {  // the source's rows are long: reading along them is what counts
          for (int64_t k0 = 0; k0 < depth_; k0 += 16)
            for (int64_t n = n0; n < n1; ++n)
              for (int64_t k = k0; k < k0 + 16; ++k) to[k * width + n - n0] = w[k * k_stride + n * n_stride];
        }
      }
    });
  }

  /// For each thread: a copy of a block of source rows, and a block of results.
  size_t scratch_bytes() const {
    return (static_cast<size_t>(threads_) * thread_floats() * sizeof(float) + 63) / 64 * 64;
  }

  /// Whether run() can hand its result on in pieces: threads share rows then.
  bool has_pieces() const { return !split_columns_; }

  /// `in`: how source rows lie, `out`: how result rows do; at most one of them is sparse. A sparse result is added to
  /// what is there, or with `fresh` stands among zeros. `after(piece, first row, rows)` sees each block of a dense
  /// result while it is in the cache, the blocks of one of kRowPieces pieces in order; `beside` are arrays like the
  /// result that it reads then.
  template <typename After = std::nullptr_t>
  void run(const float* source, const PixelSampling& in, const float* packed, const TileTail& tail, float* result,
           const PixelSampling& out, bool fresh, void* scratch, const After& after = nullptr,
           std::array<const float*, 2> beside = {}) const {
    constexpr bool kPieces = !std::is_null_pointer_v<After>;
    const int64_t units = (rows_ + tiles_.rows - 1) / tiles_.rows, panels = tiles_.panels(columns_);
    const int64_t parts = kPieces          ? kRowPieces
                          : split_columns_ ? std::min<int64_t>(panels, threads_ * kPartsPerThread)
                                           : parts_of(units, kBlockTiles, threads_);
    parallel_parts(parts, threads_, [&](int64_t part, int64_t slot) {
      float* const mine = static_cast<float*>(scratch) + slot * thread_floats();
      if constexpr (kPieces) {
        const int64_t end = first_row_of_piece(rows_, part + 1);
        for (int64_t r = first_row_of_piece(rows_, part); r < end; r += block_) {
          const int64_t last = std::min(end, r + block_);
          run_block({r, last}, {0, columns_}, source, in, packed, tail, result, out, fresh, mine, beside);
          after(part, r, last - r);
        }
        return;
      }
      const int64_t row_parts = split_columns_ ? 1 : parts, column_parts = split_columns_ ? parts : 1;
      const int64_t row_part = split_columns_ ? 0 : part, column_part = split_columns_ ? part : 0;
      const int64_t r0 = units * row_part / row_parts * tiles_.rows,
                    r1 = std::min(rows_, units * (row_part + 1) / row_parts * tiles_.rows);
      const int64_t n0 = panels * column_part / column_parts * tiles_.columns;
      const int64_t n1 = std::min(columns_, panels * (column_part + 1) / column_parts * tiles_.columns);
      // Blocks of nearly one size: each goes through all weights, be it a single tile.
      const int64_t blocks = (r1 - r0 + block_ - 1) / block_, even = blocks == 0 ? 0 : (r1 - r0 + blocks - 1) / blocks,
                    size = (even + tiles_.rows - 1) / tiles_.rows * tiles_.rows;
      for (int64_t r = r0; r < r1; r += size)
        run_block({r, std::min(r1, r + size)}, {n0, n1}, source, in, packed, tail, result, out, fresh, mine);
    });
  }

 private:
  static constexpr int64_t kBlockTiles =
      8;  // tiles of rows that share a panel of weights while it is in the first cache
  static constexpr int64_t kBlockResults =
      int64_t{1} << 16;  // of a block that is read again with arrays of its size: all fit the second cache
  static constexpr int64_t kDepthBlock = 512;
  static constexpr int64_t kPadding = 16;  // floats between copied rows, so that rows do not fall on one cache set

  int64_t blocks() const { return (depth_ + kDepthBlock - 1) / kDepthBlock; }
  int64_t thread_floats() const { return block_ * (depth_block_ + kPadding) + block_ * columns_; }

  void run_block(IndexRange rows, IndexRange columns, const float* source, const PixelSampling& in, const float* packed,
                 const TileTail& tail, float* result, const PixelSampling& out, bool fresh, float* scratch,
                 std::array<const float*, 2> beside = {}) const {
    float* const copy = scratch;
    float* const target =
        out.dense() ? result + rows.first * columns_ + columns.first : scratch + block_ * (depth_block_ + kPadding);
    const int64_t copy_row = depth_block_ + kPadding;
    TileTail shifted = tail;
    if (tail.bias) shifted.bias = tail.bias + columns.first;
    // A residual in the result's own memory would be gone after the first block of the depth: of several blocks it is
    // added in the first, wherever it lies, so that where it lies changes no bit.
    const bool several = depth_block_ < depth_, in_place = tail.residual == result;
    TileTail beginning;
    if (tail.residual) {
      shifted.residual = tail.residual + rows.first * columns_ + columns.first;
      if (several) beginning.residual = std::exchange(shifted.residual, nullptr);
    }
    const bool adds_first = several && tail.residual && !in_place;
    for (int64_t k = 0; k < depth_; k += depth_block_) {
      const int64_t depth = std::min(depth_block_, depth_ - k);
      const float* a = source + rows.first * depth_ + k;
      int64_t a_row = depth_;
      if (!in.dense() || copies_rows()) {
        for (int64_t r = rows.first; r < rows.last; ++r) {
          const int64_t from = in.dense() ? r : in.large_index(r);
          std::memcpy(copy + (r - rows.first) * copy_row, source + from * depth_ + k,
                      static_cast<size_t>(depth) * sizeof(float));
        }
        a = copy;
        a_row = copy_row;
      }
      const int64_t tile_rows = tiles_.tile_rows(rows.size());
      const float* next = source + (in.dense() ? rows.last : in.large_index(rows.last)) * depth_ + rows.size() * k;
      BlockProduct product{rows.size(),
                           columns.size(),
                           depth,
                           a,
                           a_row,
                           tile_rows * a_row,
                           tile_rows,
                           packed + (columns.first / tiles_.columns * depth_ + k) * tiles_.columns,
                           tiles_.columns,
                           depth_ * tiles_.columns,
                           target,
                           columns_,
                           k > 0 || (several && in_place),
                           k + depth >= depth_    ? &shifted
                           : k == 0 && adds_first ? &beginning
                                                  : nullptr,
                           false,
                           {}};
      if (k + depth >= depth_) {
        for (size_t i = 0; i < beside.size(); ++i)
          if (beside[i])
            product.ahead[i] = {beside[i] + rows.first * columns_, 1, rows.size() * columns_ / kLineFloats, 0};
      }
      product.ahead[2] = {next, 1, rows.size() * depth / kLineFloats, 0};
      tiles_.multiply_rows(product);
    }
    if (out.dense()) return;
    if (fresh)
      place(rows, columns, target, result, out);
    else
      spread(rows, columns, target, result, out);
  }

  /// Rows whose distance is a large power of two meet in one set of the first cache; then a copy pays for itself.
  bool copies_rows() const { return depth_ % 512 == 0 && columns_ >= 128; }

  /// Adds a block of results to the pixels they belong to.
  void spread(IndexRange rows, IndexRange columns, const float* block, float* result, const PixelSampling& out) const {
    for (int64_t r = rows.first; r < rows.last; ++r)
      vector_loops().add_scaled(columns.size(), block + (r - rows.first) * columns_, 1.0f,
                                result + out.large_index(r) * columns_ + columns.first);
  }

  /// Copies a block of results to the pixels they belong to, and zeros to those between them.
  void place(IndexRange rows, IndexRange columns, const float* block, float* result, const PixelSampling& out) const {
    const auto width = static_cast<size_t>(columns.size());
    for (int64_t r = rows.first; r < rows.last; ++r) {
      const int64_t end = r + 1 < rows_ ? out.large_index(r + 1) : out.large_pixels(rows_);
      int64_t pixel = out.large_index(r);
      std::copy_n(block + (r - rows.first) * columns_, width, result + pixel * columns_ + columns.first);
      for (++pixel; pixel < end; ++pixel) std::fill_n(result + pixel * columns_ + columns.first, width, 0.0f);
    }
  }

  const TileKernels& tiles_ = tile_kernels();
  int64_t rows_, depth_, columns_;
  int threads_;
  bool split_columns_;
  int64_t block_, depth_block_;
};

}  // namespace graft::cpu

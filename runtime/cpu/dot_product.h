#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "runtime/core/index_range.h"
#include "runtime/core/parallel.h"
#include "runtime/core/tensor.h"
#include "runtime/cpu/vector/dot_tiles.h"

namespace graft::cpu {

/// Result[m][n] = Σ_k source[m][k]·weights[k][n] by dot-product instructions (vector/dot_tiles.h), shared out among
/// threads. Depths that are no whole words end in zeros. Each sum is one chain over k, whatever the number of threads.
template <typename Tail>
class PackedDotProduct {
 public:
  /// `element`: bytes of a number of the depth, 2 or 1.
  PackedDotProduct(const DotTiles<Tail>& tiles, int64_t element, int64_t rows, int64_t depth, int64_t columns)
      : tiles_(&tiles),
        element_(element),
        rows_(rows),
        depth_(depth),
        columns_(columns),
        words_((depth * element + 3) / 4),
        threads_(thread_count()) {
    // Few rows: threads share the columns, so that each reads only its part of the weights.
    split_columns_ = rows_ < int64_t{threads_} * DotShape::kRows * 4;
    // 64 bytes more, so that rows do not fall on one cache set.
    pitch_ = (words_ * 4 + 63) / 64 * 64 + 64;
    block_ = DotShape::kRows * std::clamp<int64_t>(kBlockBytes / (DotShape::kRows * pitch_), 1, kBlockTiles);
  }

  int64_t rows() const { return rows_; }
  int64_t depth() const { return depth_; }
  int64_t columns() const { return columns_; }
  size_t packed_bytes() const {
    return static_cast<size_t>(DotShape::panels(columns_) * words_ * 4 * DotShape::kColumns);
  }
  size_t scratch_bytes() const { return static_cast<size_t>(threads_ * block_ * pitch_); }

  /// line(n, to): writes what column n multiplies, depth() numbers as the instructions take them.
  template <typename Line>
  void pack(const Line& line, std::byte* packed) const {
    constexpr int64_t kWidth = DotShape::kColumns;
    parallel_for(DotShape::panels(columns_), 1, [&](int64_t first, int64_t last) {
      thread_local std::vector<uint32_t> words;  // weights that train are packed at each run, which is not to allocate
      words.resize(static_cast<size_t>(words_));
      for (int64_t panel = first; panel < last; ++panel) {
        auto* const to = reinterpret_cast<uint32_t*>(packed + panel * words_ * 4 * kWidth);
        for (int64_t i = 0; i < kWidth; ++i) {
          const int64_t n = panel * kWidth + i;
          if (n < columns_)
            line(n, reinterpret_cast<std::byte*>(words.data()));
          else
            std::fill(words.begin(), words.end(), 0);
          for (int64_t k = 0; k < words_; ++k) to[k * kWidth + i] = words[static_cast<size_t>(k)];
        }
      }
    });
  }

  /// Source rows that lie side by side, `pitch` bytes apart.
  struct Rows {
    const std::byte* at;
    int64_t pitch;
  };
  /// source(rows, buffer, pitch): where those rows of the source lie; they may be gathered in `buffer`, `pitch` bytes
  /// each. The bytes behind a row's depth up to whole words must be zeros, or its depth whole words.
  template <typename Source>
  void run(const Source& source, const std::byte* packed, const Tail& tail, void* result, void* scratch) const {
    const int64_t units = (rows_ + DotShape::kRows - 1) / DotShape::kRows, panels = DotShape::panels(columns_);
    const int64_t parts = split_columns_ ? std::min<int64_t>(panels, threads_ * kPartsPerThread)
                                         : parts_of(units, block_ / DotShape::kRows, threads_);
    parallel_parts(parts, threads_, [&](int64_t part, int64_t slot) {
      const int64_t row_parts = split_columns_ ? 1 : parts, column_parts = split_columns_ ? parts : 1;
      const int64_t row_part = split_columns_ ? 0 : part, column_part = split_columns_ ? part : 0;
      const int64_t r0 = units * row_part / row_parts * DotShape::kRows,
                    r1 = std::min(rows_, units * (row_part + 1) / row_parts * DotShape::kRows);
      const int64_t p0 = panels * column_part / column_parts, p1 = panels * (column_part + 1) / column_parts;
      if (p0 == p1 || r0 == r1) return;
      std::byte* const buffer = static_cast<std::byte*>(scratch) + slot * block_ * pitch_;
      // Blocks of nearly one size: each goes through all weights, be it a single tile.
      const int64_t blocks = (r1 - r0 + block_ - 1) / block_, even = blocks == 0 ? 0 : (r1 - r0 + blocks - 1) / blocks,
                    size = (even + DotShape::kRows - 1) / DotShape::kRows * DotShape::kRows;
      const int64_t n0 = p0 * DotShape::kColumns, n1 = std::min(columns_, p1 * DotShape::kColumns);
      const int64_t bytes = static_cast<int64_t>(size_of(tail.type));
      for (int64_t r = r0; r < r1; r += size) {
        const IndexRange rows{r, std::min(r1, r + size)};
        const Rows a = source(rows, buffer, pitch_);
        Tail here = tail;
        const int64_t offset = rows.first * columns_ + n0;
        begin_at(here, n0, offset * bytes);
        tiles_->multiply({rows.size(), n1 - n0, words_, a.at, a.pitch, DotShape::tile_rows(rows.size()),
                          packed + p0 * words_ * 4 * DotShape::kColumns, words_ * 4 * DotShape::kColumns,
                          static_cast<std::byte*>(result) + offset * bytes, columns_, &here, a.at != buffer});
      }
    });
  }

  /// Source rows that lie one behind the other, as they are or, where that would do harm, copied.
  Rows plain_rows(const void* source, IndexRange rows, std::byte* buffer, int64_t pitch) const {
    const int64_t bytes = depth_ * element_;
    const std::byte* const at = static_cast<const std::byte*>(source) + rows.first * bytes;
    // Rows whose distance is a large power of two meet in one set of the first cache; then a copy pays for itself.
    const bool collide = bytes % 2048 == 0 && columns_ >= 128;
    if (bytes % 4 == 0 && !collide) return {at, bytes};
    copy_rows(source, rows, buffer, pitch);
    return {buffer, pitch};
  }
  void copy_rows(const void* source, IndexRange rows, std::byte* buffer, int64_t pitch) const {
    const int64_t bytes = depth_ * element_;
    const std::byte* const at = static_cast<const std::byte*>(source) + rows.first * bytes;
    for (int64_t i = 0; i < rows.size(); ++i) {
      std::byte* const to = buffer + i * pitch;
      std::memset(to + words_ * 4 - 4, 0, 4);
      std::memcpy(to, at + i * bytes, static_cast<size_t>(bytes));
    }
  }

 private:
  static constexpr int64_t kBlockTiles = 8;           // tiles of rows that share a panel of weights
  static constexpr int64_t kBlockBytes = 384 * 1024;  // of them, which stay in the second cache meanwhile

  static void begin_at(Bf16Tail& tail, int64_t column, int64_t byte) {
    if (tail.bias) tail.bias += column;
    if (tail.residual) tail.residual += byte;
  }
  static void begin_at(Int8Tail& tail, int64_t column, int64_t byte) {
    tail.correction += column;
    tail.scale += column;
    tail.bias += column;
    if (tail.residual) tail.residual += byte;
  }

  const DotTiles<Tail>* tiles_;
  int64_t element_, rows_, depth_, columns_, words_;
  int threads_;
  bool split_columns_ = false;
  int64_t pitch_ = 0, block_ = 0;
};

}  // namespace graft::cpu

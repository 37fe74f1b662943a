#pragma once

#include <algorithm>
#include <cstddef>

#include "runtime/core/index_range.h"
#include "runtime/core/parallel.h"
#include "runtime/core/thread_limit.h"
#include "runtime/cpu/vector/bf16_kernels.h"

namespace graft::cpu::bf16 {

/// result[n][c] = Σ_p a[p][n]·b[p][c] over pixels, or rows of matrices, which are taken two at a time: gradients of
/// weights from bfloat16. Each sum is one chain over p, whatever the number of threads.
class PixelProduct {
 public:
  // Summed before sums are written: two words of 256 panels fit the first caches.
  static constexpr int64_t kPixels = 512;
  static constexpr int64_t kPanel = Bf16PixelProduct::kColumns;

  /// `source_bytes`: of memory for each thread's `Source` (see run), a multiple of 64.
  PixelProduct(int64_t rows, int64_t columns, int64_t pixels, size_t source_bytes)
      : rows_(rows), columns_(columns), pixels_(pixels), source_bytes_(source_bytes), threads_(thread_count()) {}

  size_t scratch_bytes() const { return static_cast<size_t>(threads_) * thread_bytes(); }

  /// `a`: pixels × rows, row-major. `source(memory)` makes, for a thread, what knows where b lies: begin(pixels) is
  /// called for each kPixels of them, panel(column) for each panel, then at(i) is the address of pixel i's numbers from
  /// that column on, or null for zeros.
  template <typename Source>
  void run(const uint16_t* a, const Source& source, float* result, void* scratch) const {
    const int64_t panels = (columns_ + kPanel - 1) / kPanel;
    parallel_team(threads_, [&](int64_t t, int64_t count) {
      // Few columns, as three colours have: threads share the rows instead.
      const bool by_rows = panels < 4 * count;
      constexpr int64_t tile = Bf16PixelProduct::kRows;
      const int64_t tiles = (rows_ + tile - 1) / tile;
      const IndexRange own_rows =
          by_rows ? IndexRange{tiles * t / count * tile, std::min(rows_, tiles * (t + 1) / count * tile)}
                  : IndexRange{0, rows_};
      const IndexRange own_panels =
          by_rows ? IndexRange{0, panels} : IndexRange{panels * t / count, panels * (t + 1) / count};
      if (own_panels.size() == 0) return;
      std::byte* const memory = static_cast<std::byte*>(scratch) + static_cast<size_t>(t) * thread_bytes();
      auto own = source(memory + kWordBytes);
      for (int64_t first = own_rows.first; first < own_rows.last; first += kRowsAtOnce)
        sum({first, std::min(own_rows.last, first + kRowsAtOnce)}, own_panels, a, own, result,
            reinterpret_cast<uint32_t*>(memory));
    });
  }

 private:
  static constexpr int64_t kWords = kPixels / 2;
  // Whose words of kPixels fit the second cache.
  static constexpr int64_t kRowsAtOnce = 36 * Bf16PixelProduct::kRows;
  static constexpr int64_t kRowWords = kRowsAtOnce / Bf16PixelProduct::kRows * Bf16PixelProduct::kTileWords * kWords;
  static constexpr size_t kWordBytes = static_cast<size_t>(kRowWords + kPanel * kWords) * sizeof(uint32_t);
  static_assert(kWordBytes % 64 == 0);
  size_t thread_bytes() const { return kWordBytes + source_bytes_; }

  template <typename Own>
  void sum(IndexRange rows, IndexRange panels, const uint16_t* a, Own& b, float* result, uint32_t* row_words) const {
    const Bf16PixelTiles& tiles = bf16_kernels()->pixel_tiles;
    uint32_t* const column_words = row_words + kRowWords;
    for (int64_t first = 0; first < pixels_; first += kPixels) {
      const int64_t n = std::min(kPixels, pixels_ - first), words = (n + 1) / 2;
      for (int64_t k = 0; k < words; ++k) {
        const uint16_t* const even = a + (first + 2 * k) * rows_ + rows.first;
        tiles.pack_rows(rows.size(), even, 2 * k + 1 < n ? even + rows_ : nullptr,
                        row_words + k * Bf16PixelProduct::kTileWords, words * Bf16PixelProduct::kTileWords);
      }
      b.begin({first, first + n});
      for (int64_t panel = panels.first; panel < panels.last; ++panel) {
        const int64_t column = panel * kPanel, width = std::min(kPanel, columns_ - column);
        b.panel(column);
        for (int64_t k = 0; k < words; ++k)
          tiles.pack_columns(width, b.at(2 * k), 2 * k + 1 < n ? b.at(2 * k + 1) : nullptr, column_words + k * kPanel);
        tiles.multiply({rows.size(), width, words, row_words, column_words, result + rows.first * columns_ + column,
                        columns_, first > 0});
      }
    }
  }

  int64_t rows_, columns_, pixels_;
  size_t source_bytes_;
  int threads_;
};

}  // namespace graft::cpu::bf16

#pragma once

#include <cstdint>

namespace graft::cpu {

/// Pieces that sums over rows are divided into, by the number of rows alone, so that results do not depend on how many
/// threads add them.
inline constexpr int64_t kRowPieces = 16;

/// The first row of a piece; that of kRowPieces is the number of rows. Long pieces are whole tiles of a matrix unit.
inline int64_t first_row_of_piece(int64_t rows, int64_t piece) {
  constexpr int64_t kWhole = 32;
  if (piece == kRowPieces || rows < 2 * kWhole * kRowPieces) return rows * piece / kRowPieces;
  return rows / kWhole * piece / kRowPieces * kWhole;
}

}  // namespace graft::cpu

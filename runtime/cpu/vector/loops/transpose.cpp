// Compiled once per instruction set (GRAFT_ISA); see loops.cpp for what such a file may include.
#include "runtime/cpu/vector/transpose.h"

#include <utility>

#include "runtime/cpu/vector/loops/lanes.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

/// Of two rows `apart` rows from one another in a square of kLanes rows: exchanges the blocks of `apart` numbers that
/// lie on the wrong side of its diagonal.
template <int apart>
inline void exchange(Lanes& upper, Lanes& lower) {
  const auto shuffled =
      []<int... j>(Lanes a, Lanes b, std::integer_sequence<int, j...>, auto take) __attribute__((always_inline)) {
    return static_cast<Lanes>(__builtin_shufflevector(a, b, decltype(take)::of(j)...));
  };
  struct Upper {
    static constexpr int of(int j) { return j & apart ? kLanes + j - apart : j; }
  };
  struct Lower {
    static constexpr int of(int j) { return j & apart ? kLanes + j : j + apart; }
  };
  constexpr auto all = std::make_integer_sequence<int, kLanes>{};
  const Lanes a = upper, b = lower;
  upper = shuffled(a, b, all, Upper{});
  lower = shuffled(a, b, all, Lower{});
}

template <int apart>
inline void transpose_blocks(Lanes (&rows)[kLanes]) {
  if constexpr (apart < kLanes) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i)
      if (!(i & apart)) exchange<apart>(rows[i], rows[i + apart]);
    transpose_blocks<2 * apart>(rows);
  }
}

/// The square of up to kLanes × kLanes numbers; what is missing counts as zero.
inline void transpose_square(int64_t rows, int64_t columns, const float* from, int64_t from_row, float factor,
                             float* to, int64_t to_row) {
  alignas(sizeof(Lanes)) Lanes square[kLanes];  // clang takes a reference to them as aligned
  if (columns == kLanes) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) square[i] = i < rows ? load(from + i * from_row) * factor : Lanes{};
  } else {
    for (int i = 0; i < kLanes; ++i) {
      square[i] = Lanes{};
      for (int64_t c = 0; i < rows && c < columns; ++c) square[i][c] = from[i * from_row + c] * factor;
    }
  }
  transpose_blocks<1>(square);
#pragma GCC unroll 16
  for (int c = 0; c < kLanes; ++c)
    if (c < columns) store(to + c * to_row, square[c]);
}

void copy(int64_t rows, int64_t columns, const float* from, int64_t from_row, float factor, float* to, int64_t to_row) {
  for (int64_t r = 0; r < rows; r += kLanes)
    for (int64_t c = 0; c < columns; c += kLanes)
      transpose_square(rows - r < kLanes ? rows - r : kLanes, columns - c < kLanes ? columns - c : kLanes,
                       from + r * from_row + c, from_row, factor, to + c * to_row + r, to_row);
}

constexpr Transposition kTransposition{copy, kLanes};

}  // namespace

const Transposition& transposition() { return kTransposition; }

}  // namespace graft::cpu::GRAFT_ISA

#include "runtime/cpu/vector/transpose.h"

#include <gtest/gtest.h>

#include <vector>

#include "runtime/core/random.h"

namespace graft::cpu {
namespace {

TEST(Transposition, TurnsMatricesOfAnyExtents) {
  const Transposition& transposition = cpu::transposition();
  for (const int64_t rows : {1, 7, 16, 17, 49})
    for (const int64_t columns : {1, 5, 16, 31, 32}) {
      const int64_t from_row = columns + 3,
                    to_row = (rows + transposition.lanes - 1) / transposition.lanes * transposition.lanes + 5;
      std::vector<float> from(static_cast<size_t>(rows * from_row)), to(static_cast<size_t>(columns * to_row), -7.0f);
      Random random(3);
      for (float& v : from) v = random.uniform(-1, 1);
      transposition.copy(rows, columns, from.data(), from_row, 0.5f, to.data(), to_row);
      for (int64_t c = 0; c < columns; ++c)
        for (int64_t r = 0; r < to_row; ++r) {
          const float expected = r < rows         ? 0.5f * from[static_cast<size_t>(r * from_row + c)]
                                 : r < to_row - 5 ? 0.0f
                                                  : -7.0f;  // not written
          ASSERT_EQ(to[static_cast<size_t>(c * to_row + r)], expected)
              << rows << "x" << columns << " at " << r << ", " << c;
        }
    }
}

}  // namespace
}  // namespace graft::cpu

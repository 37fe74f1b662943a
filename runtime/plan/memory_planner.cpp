#include "runtime/plan/memory_planner.h"

#include <algorithm>
#include <numeric>

namespace graft {

size_t lay_out(std::vector<Block>& blocks) {
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return blocks[a].bytes > blocks[b].bytes; });
  std::vector<size_t> by_offset;  // indices of placed blocks, in order of their offsets
  size_t total = 0;
  for (size_t i : order) {
    Block& block = blocks[i];
    const size_t bytes = (block.bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
    size_t offset = 0;
    for (size_t j : by_offset) {
      const Block& other = blocks[j];
      if (other.last < block.first || other.first > block.last) continue;
      if (offset + bytes <= other.offset) break;
      const size_t end = other.offset + (other.bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
      offset = std::max(offset, end);
    }
    block.offset = offset;
    total = std::max(total, offset + bytes);
    by_offset.insert(std::upper_bound(by_offset.begin(), by_offset.end(), offset,
                                      [&](size_t value, size_t j) { return value < blocks[j].offset; }),
                     i);
  }
  return total;
}

}  // namespace graft

#pragma once

#include <cstddef>
#include <vector>

#include "runtime/core/backend.h"

namespace graft {

/// One block of the arena: its size and the first and last node (inclusive) during which it is alive.
struct Block {
  size_t bytes = 0;
  int first = 0, last = 0;
  size_t offset = 0;  // filled in by lay_out
};

/// Gives each block an offset so that blocks alive at the same time never overlap; returns the arena's size. Largest
/// first, each at the lowest free offset ("greedy by size" [Pisarchyk & Lee 2020]).
size_t lay_out(std::vector<Block>& blocks);

}  // namespace graft

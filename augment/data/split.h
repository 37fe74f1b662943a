#pragma once

#include "graft/dataset.h"

namespace graft {

/// Moves the given part of each class of data.train to data.validation, chosen by (seed, position): of two or more at
/// least one. Copies of one picture, and pictures that are nearly the same, stay on one side, as a note says; over
/// 20,000 pictures are not compared, which a note says too. Both are sorted by path then.
void split_off(Dataset& data, const SplitSettings& split);

}  // namespace graft

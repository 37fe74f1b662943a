#pragma once

#include "graft/dataset.h"

namespace graft {

/// Moves the given part of each class of data.train to data.validation, chosen by (seed, position): of two or more at
/// least one. Both are sorted by path then.
void split_off(Dataset& data, const SplitSettings& split);

}  // namespace graft

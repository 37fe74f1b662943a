#pragma once

#include <cstdint>
#include <vector>

#include "finetune/data/sample_source.h"

namespace graft {

/// The samples of one epoch, shuffled by (seed, epoch): each once or, balanced, as many draws in which every class has
/// the same chance. Their variants are left at 0.
std::vector<SampleRef> epoch_samples(const SampleSource& source, const std::vector<int64_t>& readable, bool balanced,
                                     uint64_t seed, uint64_t epoch);

}  // namespace graft

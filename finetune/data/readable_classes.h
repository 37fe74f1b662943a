#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "finetune/data/sample_source.h"

namespace graft {

/// Throws Error (bad_data) where none of the pictures of a class can be read, naming one of them: a classifier would be
/// trained that cannot know that class. `samples` of `source` were asked for, `readable` of them are there (ascending),
/// `failures` says why others are not.
void check_readable_classes(const SampleSource& source, const std::vector<int64_t>& samples,
                            const std::vector<int64_t>& readable,
                            const std::vector<std::pair<int64_t, std::string>>& failures);

}  // namespace graft

#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace graft {

/// Which of the samples to label next: `count` that the model is unsure of and that differ from each other, in the
/// order of their clusters' uncertainty. Diverse mini-batch active learning [Zhdanov 2019]: k-means of the directions
/// of their features, each sample weighted by its uncertainty, and of each cluster the sample nearest to its mean.
/// `features`: samples × width, finite; `uncertainty`: 0 to 1 each. The same samples for the same seed and any number
/// of threads; all of them where there are no more than `count`.
std::vector<size_t> next_to_label(std::span<const float> features, size_t width, std::span<const float> uncertainty,
                                  size_t count, uint64_t seed);

/// How many of the most uncertain samples next_to_label is best given for so many suggestions. Its work grows as
/// candidates × suggestions × width.
constexpr size_t candidates_for(size_t suggestions) {
  return std::max(suggestions, std::min(10 * suggestions, size_t{20000}));
}

}  // namespace graft

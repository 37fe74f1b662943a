#include "finetune/data/sampler.h"

#include <map>

#include "runtime/core/random.h"

namespace graft {
namespace {

std::vector<int64_t> balanced_draws(const SampleSource& source, const std::vector<int64_t>& readable, uint64_t seed,
                                    uint64_t epoch) {
  std::map<int, std::vector<int64_t>> by_class;
  for (int64_t index : readable) by_class[source.label(index)].push_back(index);
  Random random(mix(mix(seed, 0x62616c), epoch));
  std::vector<int64_t> drawn;
  for (auto samples = by_class.begin(); drawn.size() < readable.size(); ++samples) {
    if (samples == by_class.end()) samples = by_class.begin();
    drawn.push_back(samples->second[random.below(samples->second.size())]);
  }
  return drawn;
}

}  // namespace

std::vector<SampleRef> epoch_samples(const SampleSource& source, const std::vector<int64_t>& readable, bool balanced,
                                     uint64_t seed, uint64_t epoch) {
  std::vector<SampleRef> refs;
  for (int64_t index : balanced ? balanced_draws(source, readable, seed, epoch) : readable) refs.push_back({index, 0});
  Random random(mix(mix(seed, 0x6f72646572), epoch));
  for (size_t i = refs.size(); i > 1; --i) std::swap(refs[i - 1], refs[random.below(i)]);
  return refs;
}

}  // namespace graft

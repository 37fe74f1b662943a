#include "augment/data/split.h"

#include <algorithm>
#include <map>

#include "runtime/core/random.h"

namespace graft {

void split_off(Dataset& data, const SplitSettings& split) {
  std::map<int, std::vector<LabelledFile>> by_class;
  for (LabelledFile& item : data.train) by_class[item.label].push_back(std::move(item));
  data.train.clear();
  for (auto& [label, items] : by_class) {
    for (size_t i = items.size(); i > 1; --i)
      std::swap(items[i - 1], items[mix(mix(split.seed, static_cast<uint64_t>(label)), i) % i]);
    const auto taken =
        items.size() < 2
            ? 0
            : std::max<size_t>(1, static_cast<size_t>(static_cast<double>(items.size()) * split.validation_part));
    for (size_t i = 0; i < items.size(); ++i) (i < taken ? data.validation : data.train).push_back(std::move(items[i]));
  }
  const auto by_path = [](const LabelledFile& a, const LabelledFile& b) { return a.path < b.path; };
  std::sort(data.train.begin(), data.train.end(), by_path);
  std::sort(data.validation.begin(), data.validation.end(), by_path);
}

}  // namespace graft

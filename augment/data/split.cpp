#include "augment/data/split.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "augment/data/like_groups.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

/// Above this, looking for like pictures would take longer than a minute before anything is seen of the training.
constexpr size_t kMostCompared = 20000;

std::vector<size_t> groups_of(Dataset& data) {
  std::vector<std::string> paths;
  for (const LabelledFile& file : data.train) paths.push_back(file.path);
  if (paths.size() <= kMostCompared) return like_groups(paths);
  data.notes.push_back(
      "over " + std::to_string(kMostCompared) +
      " pictures are split without looking for copies among them: graft check names those on both sides");
  std::vector<size_t> each(paths.size());
  std::iota(each.begin(), each.end(), size_t{0});
  return each;
}

/// Divides the pictures of one class after the other; a group of like pictures goes where its first class sends it.
class Divider {
 public:
  Divider(const std::vector<size_t>& group, double part)
      : group_(group), part_(part), side_(group.size(), Side::open) {}

  /// `items`: a class's pictures in random order. Returns which of them validate: of two or more at least one, and
  /// never all.
  std::vector<bool> divide(const std::vector<size_t>& items) {
    if (items.size() < 2) return {false};
    const auto wanted = std::max<size_t>(1, static_cast<size_t>(static_cast<double>(items.size()) * part_));
    std::map<size_t, size_t> sizes;
    for (const size_t i : items) ++sizes[group_[i]];
    size_t validating = 0;
    for (const auto& [group, size] : sizes)
      if (side_[group] == Side::validates) validating += size;
    size_t smallest = group_.size();  // of the groups that this class may send
    for (const size_t i : items) {
      const size_t group = group_[i];
      if (side_[group] != Side::open) continue;
      const bool fits = validating + sizes[group] <= wanted;
      side_[group] = fits ? Side::validates : Side::trains;
      if (fits) validating += sizes[group];
      if (smallest == group_.size() || sizes[group] < sizes[smallest]) smallest = group;
    }
    if (validating == 0 && smallest < group_.size() && 2 * sizes[smallest] <= items.size()) {
      side_[smallest] = Side::validates;
      validating = sizes[smallest];
    }
    std::vector<bool> validates;
    for (const size_t i : items) {
      validates.push_back(side_[group_[i]] == Side::validates);
      together_ += sizes[group_[i]] > 1;
    }
    if (validating == 0 || validating == items.size()) {
      for (size_t i = 0; i < wanted; ++i) validates[i] = validating == 0;
      torn_ += wanted;
    }
    return validates;
  }
  /// Pictures that are like others of their class, and those that were torn from them since the class has no others.
  size_t together() const { return together_; }
  size_t torn() const { return torn_; }

 private:
  enum class Side : uint8_t { open, trains, validates };
  const std::vector<size_t>& group_;
  double part_;
  std::vector<Side> side_;  // of each group
  size_t together_ = 0, torn_ = 0;
};

}  // namespace

void split_off(Dataset& data, const SplitSettings& split) {
  const std::vector<size_t> group = groups_of(data);
  Divider divider(group, split.validation_part);
  std::map<int, std::vector<size_t>> by_class;  // indices into data.train
  for (size_t i = 0; i < data.train.size(); ++i) by_class[data.train[i].label].push_back(i);
  std::vector<LabelledFile> trains;
  for (auto& [label, items] : by_class) {
    for (size_t i = items.size(); i > 1; --i)
      std::swap(items[i - 1], items[mix(mix(split.seed, static_cast<uint64_t>(label)), i) % i]);
    const std::vector<bool> validates = divider.divide(items);
    for (size_t i = 0; i < items.size(); ++i)
      (validates[i] ? data.validation : trains).push_back(std::move(data.train[items[i]]));
  }
  data.train = std::move(trains);
  if (divider.together() > 0)
    data.notes.push_back(
        std::to_string(divider.together()) +
        " pictures are copies of others, or nearly: they stay together when a part " + "is split off to validate" +
        (divider.torn() > 0 ? ", but for " + std::to_string(divider.torn()) + " whose class has no others" : ""));
  const auto by_path = [](const LabelledFile& a, const LabelledFile& b) { return a.path < b.path; };
  std::sort(data.train.begin(), data.train.end(), by_path);
  std::sort(data.validation.begin(), data.validation.end(), by_path);
}

}  // namespace graft

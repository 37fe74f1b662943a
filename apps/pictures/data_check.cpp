#include "apps/pictures/data_check.h"

#include <algorithm>
#include <filesystem>
#include <mutex>

#include "apps/cli/progress.h"
#include "apps/cli/run_listener.h"
#include "augment/data/each_picture.h"
#include "augment/data/picture_hash.h"
#include "augment/decode.h"
#include "finetune/selection/label_doubts.h"
#include "graft/error.h"
#include "graft/feature_extractor.h"

namespace graft::app {
namespace {

/// A class with fewer pictures than this says little.
constexpr int64_t kTiny = 5;
/// A class this many times larger than another tips a classifier towards it.
constexpr int64_t kImbalance = 10;
constexpr int kNeighbours = 5;
/// Comparing each picture with each: above it, outliers are not looked for.
constexpr size_t kMostCompared = 20000;

struct Entry {
  std::string part;
  LabelledFile file;
  PictureHash hash;
  int64_t width = 0, height = 0;
  std::string error;
};

std::vector<Entry> entries_of(const Dataset& data) {
  std::vector<Entry> entries;
  const std::pair<const char*, const std::vector<LabelledFile>*> parts[] = {
      {data.is_split ? "train" : "all", &data.train},
      {"val", &data.validation},
      {data.is_split ? "test" : "all", &data.test}};
  for (const auto& [name, files] : parts)
    for (const LabelledFile& file : *files) entries.push_back({name, file, {}, 0, 0, {}});
  return entries;
}

/// Decodes every picture, by several threads.
void look_at(std::vector<Entry>& entries, const CommonOptions& common) {
  Progress progress(common.quiet);
  std::mutex mutex;
  size_t done = 0;
  const auto tell = [&] {
    const std::lock_guard lock(mutex);
    progress.show("pictures", static_cast<int64_t>(++done), static_cast<int64_t>(entries.size()));
  };
  std::vector<std::string> paths;
  for (const Entry& entry : entries) paths.push_back(entry.file.path);
  each_picture(
      paths, {}, common.threads,
      [&](size_t i, const Image& image) {
        entries[i].width = image.width;
        entries[i].height = image.height;
        entries[i].hash = hash_of(image);
        tell();
      },
      [&](size_t i, const std::string& reason) {
        entries[i].error = reason;
        tell();
      });
}

class Checker {
 public:
  Checker(const Dataset& data, const PictureModelOptions& options) : data_(data), options_(options) {}

  DataReport run() {
    report_.classes = data_.classes;
    report_.account.ignored = data_.ignored;
    report_.account.unreadable = data_.skipped;
    report_.notes = data_.notes;
    entries_ = entries_of(data_);
    look_at(entries_, options_.common);
    for (const std::string& reason : data_.skipped)
      add({"unreadable", reason.substr(0, reason.find(": ")), "", "", "", "", 0, reason});
    for (const Entry& e : entries_)
      if (!e.error.empty()) {
        report_.account.unreadable.push_back(e.error);
        add({"unreadable", e.file.path, "", e.part, class_of(e), "", 0, e.error});
      }
    std::erase_if(entries_, [](const Entry& e) { return !e.error.empty(); });
    report_.account.pictures = entries_.size();
    count();
    find_likenesses();
    if (!options_.model.empty()) ask_model();
    return std::move(report_);
  }

 private:
  void add(Finding finding) { report_.findings.push_back(std::move(finding)); }
  std::string class_of(const Entry& e) const { return data_.classes.at(static_cast<size_t>(e.file.label)); }

  void count() {
    bool first = true;
    int64_t fewest = 0, most = 0;
    for (const Entry& e : entries_) {
      auto& of_part = report_.counts.try_emplace(e.part, data_.classes.size(), 0).first->second;
      ++of_part[static_cast<size_t>(e.file.label)];
      const int64_t pixels = e.width * e.height;
      if (first || pixels < fewest) {
        fewest = pixels;
        report_.smallest[0] = e.width;
        report_.smallest[1] = e.height;
      }
      if (first || pixels > most) {
        most = pixels;
        report_.largest[0] = e.width;
        report_.largest[1] = e.height;
      }
      first = false;
      (e.width > e.height ? report_.wide : e.width < e.height ? report_.upright : report_.square) += 1;
    }
    for (const auto& [part, counts] : report_.counts) {
      if (part == "val" || part == "test") continue;
      for (size_t c = 0; c < counts.size(); ++c)
        if (counts[c] < kTiny)
          report_.notes.push_back("class " + data_.classes[c] + " has " + std::to_string(counts[c]) +
                                  (counts[c] == 1 ? " readable picture" : " readable pictures") + " in " + part);
      const auto [least, largest] = std::minmax_element(counts.begin(), counts.end());
      if (*least > 0 && *largest >= kImbalance * *least)
        report_.notes.push_back("class " + data_.classes[static_cast<size_t>(largest - counts.begin())] + " has " +
                                std::to_string(*largest / *least) + " times as many pictures as " +
                                data_.classes[static_cast<size_t>(least - counts.begin())] +
                                ": --class-weights balanced weighs them alike");
    }
  }

  void find_likenesses() {
    std::vector<PictureHash> hashes;
    for (const Entry& e : entries_) hashes.push_back(e.hash);
    for (const Likeness& like : like_pictures(hashes)) {
      const Entry &a = entries_[like.first], &b = entries_[like.second];
      const std::string same = like.same_pixels ? "is the same picture as " : "is nearly the same picture as ";
      const bool leaks = a.part != b.part;
      const bool contradicts = a.file.label != b.file.label;
      const std::string kind = contradicts        ? "two-classes"
                               : leaks            ? "leak"
                               : like.same_pixels ? "duplicate"
                                                  : "near-duplicate";
      std::string text = same + a.file.path;
      if (contradicts) text += ", which is said to be " + class_of(a);
      if (leaks) text += ", which is in " + a.part;
      add({kind, b.file.path, a.file.path, b.part, class_of(b), contradicts ? class_of(a) : "", 0, text});
    }
  }

  void ask_model() {
    if (entries_.size() < 2) return;
    const Model model = Model::load(options_.model);
    RunSettings settings = run_settings(model, options_);
    settings.pictures = entries_.size();
    std::vector<std::string> paths;
    for (const Entry& e : entries_) paths.push_back(e.file.path);
    open_device_for(options_);
    FeatureExtractor extractor(model, kPenultimate, settings);
    RunListener listener(options_.common.quiet);
    const Features features = extractor.extract(paths, &listener);
    FeatureMatrix matrix;
    matrix.append(features.values, features.width);
    std::vector<int> labels;
    for (const size_t i : features.indices) labels.push_back(entries_[i].file.label);
    const auto entry = [&](size_t row) -> const Entry& { return entries_[features.indices[row]]; };
    if (data_.classes.size() > 1)
      for (const LabelDoubt& doubt : label_doubts(matrix, labels, static_cast<int>(data_.classes.size()),
                                                  options_.common.seed, options_.common.threads)) {
        if (!doubt.flagged && doubt.given_probability >= doubt.likelier_probability) continue;
        const Entry& e = entry(doubt.picture);
        const std::string& likelier = data_.classes[static_cast<size_t>(doubt.likelier)];
        add({"label", e.file.path, "", e.part, class_of(e), likelier, doubt.likelier_probability,
             "is said to be " + class_of(e) + ", looks like " + likelier + " (" +
                 std::to_string(static_cast<int>(100 * doubt.likelier_probability + 0.5)) + " %)"});
      }
    if (features.rows > kMostCompared) {
      report_.notes.push_back("pictures like no other are not looked for among more than " +
                              std::to_string(kMostCompared));
      return;
    }
    const std::vector<double> distances = neighbour_distances(matrix, kNeighbours);
    const double limit = outlier_limit(distances);
    std::vector<size_t> far;
    for (size_t i = 0; i < distances.size(); ++i)
      if (distances[i] > limit) far.push_back(i);
    std::sort(far.begin(), far.end(), [&](size_t a, size_t b) { return distances[a] > distances[b]; });
    for (const size_t i : far) {
      const Entry& e = entry(i);
      add({"outlier", e.file.path, "", e.part, class_of(e), "", distances[i] / limit,
           "is like no other picture of the set"});
    }
  }

  const Dataset& data_;
  const PictureModelOptions& options_;
  std::vector<Entry> entries_;
  DataReport report_;
};

}  // namespace

DataReport check_data(const Dataset& data, const PictureModelOptions& options) { return Checker(data, options).run(); }

}  // namespace graft::app

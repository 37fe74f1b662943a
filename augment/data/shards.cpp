#include "augment/data/shards.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "augment/data/class_folders.h"
#include "augment/data/file_kinds.h"
#include "augment/data/picture_files.h"
#include "augment/data/tar_archive.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t kLargestLabel = 1 << 20;

struct Shard {
  std::string path, part;  // "train", "val", "test", or empty
};

std::vector<std::string> archives_in(const fs::path& folder) {
  std::vector<std::string> archives;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    std::error_code none;
    const std::string path = it->path().string();
    if (it->is_regular_file(none) && is_tar(path) && kind_by_name(path) != FileKind::system) archives.push_back(path);
  }
  std::sort(archives.begin(), archives.end());
  return archives;
}

/// By a word of its name: imagenet-train-000000.tar.
std::string part_in_name(const std::string& archive) {
  const std::string stem = fs::path(archive).stem().string();
  for (size_t at = 0; at <= stem.size();) {
    const size_t end = std::min(stem.find_first_of("-_. ", at), stem.size());
    if (const std::string part = part_named(stem.substr(at, end - at)); !part.empty()) return part;
    at = end + 1;
  }
  return {};
}

std::vector<Shard> shards_of(const std::string& path) {
  std::vector<Shard> shards;
  std::error_code code;
  if (!fs::is_directory(path, code)) return {{path, {}}};
  for (const std::string& archive : archives_in(path)) shards.push_back({archive, part_in_name(archive)});
  for (const std::string& name : folders_in(path))
    if (const std::string part = part_named(name); !part.empty())
      for (const std::string& archive : archives_in(fs::path(path) / name)) shards.push_back({archive, part});
  return shards;
}

/// A file's name up to the first dot of its last part, and what follows.
std::pair<std::string, std::string> key_of(const std::string& name) {
  const size_t slash = name.find_last_of('/'), begin = slash == std::string::npos ? 0 : slash + 1,
               dot = name.find('.', begin);
  return dot == std::string::npos ? std::pair{name, std::string()}
                                  : std::pair{name.substr(0, dot), lower_case(name.substr(dot + 1))};
}

bool is_label(const std::string& name) {
  const std::string kind = key_of(name).second;
  return kind == "cls" || kind == "json" || kind == "txt";
}

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_number_integer() ? value.dump() : std::string();
}

/// What a label's file says; empty where it says none.
std::string label_in(const std::string& archive, const TarEntry& entry) {
  if (entry.size == 0 || entry.size > kLargestLabel) return {};
  const std::vector<uint8_t> bytes = read_from_tar(archive, entry);
  std::string text(bytes.begin(), bytes.end());
  if (key_of(entry.name).second == "json") {
    const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!object.is_object()) return {};
    for (const char* name : {"label", "class", "category", "target", "cls", "class_name"})
      if (const auto found = object.find(name); found != object.end() && !text_of(*found).empty())
        return text_of(*found);
    return {};
  }
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && blank(text.back())) text.pop_back();
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), blank));
  return text;
}

struct Sample {
  std::string path, part, label, folder, archive;
};

/// Reads the samples of one archive.
void read_shard(const Shard& shard, std::vector<Sample>& samples, Dataset& data) {
  std::map<std::string, std::string> label_of;  // by key; .cls before .json
  std::vector<std::pair<std::string, Sample>> found;
  for (const TarEntry& entry : list_tar(shard.path)) {
    const auto [key, kind] = key_of(entry.name);
    const std::string path = shard.path + "/" + entry.name;
    const FileKind by_name = kind_by_name(entry.name);
    if (kind == "cls" || kind == "json") {
      if (std::string label = label_in(shard.path, entry); !label.empty() && (kind == "cls" || !label_of.contains(key)))
        label_of[key] = std::move(label);
    } else if (by_name == FileKind::picture) {
      found.push_back({key,
                       {path,
                        shard.part,
                        {},
                        fs::path(entry.name).parent_path().filename().string(),
                        fs::path(shard.path).stem().string()}});
    } else if (by_name == FileKind::unread) {
      data.skipped.push_back(shown(path) + ": is a picture of a format that is not read: convert it");
    } else if (!is_label(entry.name)) {
      data.ignored.push_back(shown(path) + ": is no picture");
    }
  }
  for (auto& [key, sample] : found) {
    if (const auto label = label_of.find(key); label != label_of.end()) sample.label = label->second;
    samples.push_back(std::move(sample));
  }
}

/// Fills in labels from folders or archives where none is written; leaves pictures without one aside.
void complete_labels(const std::string& path, std::vector<Sample>& samples, Dataset& data) {
  const auto all = [&](auto has) { return std::all_of(samples.begin(), samples.end(), has); };
  if (all([](const Sample& s) { return s.label.empty(); })) {
    std::set<std::string> archives;
    for (const Sample& s : samples) archives.insert(s.archive);
    const bool folders = all([](const Sample& s) { return !s.folder.empty() && s.folder != "."; });
    if (!folders && (archives.size() < 2 || !all([](const Sample& s) { return s.part.empty(); })))
      throw Error(path + ": no picture in its archives has a label",
                  "write NAME.cls or NAME.json (\"label\") beside each, or a folder for each class");
    for (Sample& s : samples) s.label = folders ? s.folder : s.archive;
    data.notes.push_back(std::string("the classes are named by the ") +
                         (folders ? "folders in the archives" : "archives"));
  }
  for (const Sample& s : samples)
    if (s.label.empty()) data.skipped.push_back(shown(s.path) + ": has no label beside it");
  std::erase_if(samples, [](const Sample& s) { return s.label.empty(); });
}

}  // namespace

bool holds_shards(const std::string& path) {
  std::error_code code;
  if (fs::is_regular_file(path, code)) return is_tar(path);
  return !shards_of(path).empty() && !holds_pictures(path);
}

Dataset read_shards(const std::string& path) {
  Dataset data;
  std::vector<Sample> samples;
  for (const Shard& shard : shards_of(path)) read_shard(shard, samples, data);
  if (samples.empty()) throw Error(path + ": holds no pictures", "give archives of pictures");
  complete_labels(path, samples, data);
  std::set<std::string> names;
  for (const Sample& s : samples) {
    if (!is_utf8(s.label)) throw Error(shown(s.path) + ": its label is not UTF-8");
    names.insert(s.label);
    data.is_split = data.is_split || !s.part.empty();
  }
  data.classes.assign(names.begin(), names.end());
  sort_naturally(data.classes);
  std::map<std::string, int> index;
  for (size_t i = 0; i < data.classes.size(); ++i) index[data.classes[i]] = static_cast<int>(i);
  for (const Sample& s : samples)
    (s.part == "val" ? data.validation : s.part == "test" ? data.test : data.train).push_back({s.path, index[s.label]});
  return data;
}

void collect_from_tar(const std::string& archive, PictureList& found) {
  for (const TarEntry& entry : list_tar(archive)) {
    const std::string path = archive + "/" + entry.name;
    const FileKind kind = kind_by_name(entry.name);
    if (kind == FileKind::picture)
      found.paths.push_back(path);
    else if (kind == FileKind::unread)
      found.skipped.push_back(shown(path) + ": is a picture of a format that is not read: convert it");
    else if (!is_label(entry.name))
      found.ignored.push_back(shown(path) + ": is no picture");
  }
}

}  // namespace graft

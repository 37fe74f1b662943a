#include "augment/data/class_folders.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "augment/data/file_kinds.h"
#include "augment/data/picture_files.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

/// Folders that hold the pictures beside others for what belongs to them.
bool is_for_pictures(const std::string& name) {
  static const std::set<std::string> names{"images",   "image",  "imgs",       "img",
                                           "pictures", "photos", "jpegimages", "data"};
  return names.contains(lower_case(name));
}

bool has_pictures_of_its_own(const fs::path& folder) {
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    std::error_code none;
    if (it->is_regular_file(none) && is_picture_file(it->path().string())) return true;
  }
  return false;
}

/// The folder whose folders are the classes or the parts: passes through those that stand alone, or that hold all
/// pictures under a name for them.
fs::path level_of_classes(fs::path folder) {
  while (!has_pictures_of_its_own(folder)) {
    const std::vector<std::string> inside = folders_in(folder.string());
    if (std::any_of(inside.begin(), inside.end(), [](const std::string& n) { return !part_named(n).empty(); })) break;
    std::vector<std::string> with_pictures;
    for (const std::string& name : inside)
      if (holds_pictures((folder / name).string())) with_pictures.push_back(name);
    if (with_pictures.size() != 1 || (inside.size() > 1 && !is_for_pictures(with_pictures[0]))) break;
    const fs::path next = folder / with_pictures[0];
    if (has_pictures_of_its_own(next) || folders_in(next.string()).empty()) break;
    folder = next;
  }
  return folder;
}

struct Part {
  std::vector<std::string> classes;
  std::map<std::string, std::vector<std::string>> pictures;  // by class
};

void set_aside(PictureList& from, Dataset& data) {
  data.skipped.insert(data.skipped.end(), from.skipped.begin(), from.skipped.end());
  data.ignored.insert(data.ignored.end(), from.ignored.begin(), from.ignored.end());
}

/// What lies beside the class folders has no class: it is told, and left aside.
void tell_loose_files(const fs::path& folder, Dataset& data) {
  std::error_code code;
  int64_t pictures = 0;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    std::error_code none;
    if (it->is_directory(none)) continue;
    const std::string path = it->path().string();
    const bool picture = kind_by_name(path) != FileKind::system && is_picture_file(path);
    pictures += picture;
    data.ignored.push_back(shown(path) + (picture ? ": is in no class folder" : ": is no picture"));
  }
  if (pictures > 0)
    data.notes.push_back(std::to_string(pictures) + (pictures == 1 ? " picture" : " pictures") + " in " +
                         shown(folder.string()) + " lie beside the class folders and are left aside");
}

Part read_part(const fs::path& given, Dataset& data) {
  const fs::path folder = level_of_classes(given);
  Part part;
  part.classes = folders_in(folder.string());
  tell_loose_files(folder, data);
  for (const std::string& name : part.classes) {
    if (!is_utf8(name))
      throw Error(shown((folder / name).string()) + ": a class's name must be UTF-8, and this one is not",
                  "rename the folder");
    PictureList found;
    collect_pictures((folder / name).string(), found);
    set_aside(found, data);
    part.pictures[name] = std::move(found.paths);
  }
  return part;
}

}  // namespace

std::string part_named(const std::string& name) {
  static const std::map<std::string, std::string> names{{"train", "train"}, {"training", "train"}, {"val", "val"},
                                                        {"valid", "val"},   {"validation", "val"}, {"dev", "val"},
                                                        {"test", "test"},   {"testing", "test"}};
  const auto it = names.find(lower_case(name));
  return it == names.end() ? "" : it->second;
}

Dataset read_class_folders(const std::string& given) {
  Dataset data;
  const fs::path root = level_of_classes(given);
  std::map<std::string, Part> parts;
  for (const std::string& name : folders_in(root.string())) {
    const std::string part = part_named(name);
    if (part.empty()) continue;
    if (parts.contains(part))
      throw Error(shown(root.string()) + ": has two folders for " + part + ", \"" + name + "\" is one",
                  "leave one of them");
    parts[part] = read_part(root / name, data);
  }
  data.is_split = !parts.empty();
  if (parts.empty()) {
    parts["train"] = read_part(root, data);
  } else {
    for (const std::string& name : folders_in(root.string()))
      if (part_named(name).empty() && holds_pictures((root / name).string()))
        data.notes.push_back(shown((root / name).string()) + " is no part like train, val and test, and is left aside");
  }
  std::set<std::string> names;
  for (const auto& [name, part] : parts) names.insert(part.classes.begin(), part.classes.end());
  data.classes.assign(names.begin(), names.end());
  sort_naturally(data.classes);
  for (auto& [name, part] : parts) {
    std::vector<LabelledFile>& files = name == "train" ? data.train : name == "val" ? data.validation : data.test;
    for (size_t label = 0; label < data.classes.size(); ++label)
      for (std::string& path : part.pictures[data.classes[label]])
        files.push_back({std::move(path), static_cast<int>(label)});
  }
  return data;
}

}  // namespace graft

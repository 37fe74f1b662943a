#include "augment/data/class_folders.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
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

std::vector<std::string> with_pictures(const fs::path& folder) {
  std::vector<std::string> names = folders_in(folder.string());
  std::erase_if(names, [&](const std::string& name) { return !holds_pictures((folder / name).string()); });
  return names;
}

/// A part of a set has folders of classes; a class that is called like one ("train", among vehicles) has pictures.
bool is_part(const fs::path& folder) {
  return !part_named(folder.filename().string()).empty() && !has_pictures_of_its_own(folder) &&
         !with_pictures(folder).empty();
}

/// The one folder to pass through on the way to the classes; empty where these stand here.
std::string only_folder(const fs::path& folder, Dataset& data) {
  if (has_pictures_of_its_own(folder)) return {};
  const std::vector<std::string> inside = with_pictures(folder);
  if (inside.empty() ||
      std::any_of(inside.begin(), inside.end(), [&](const std::string& n) { return is_part(folder / n); }))
    return {};
  const auto has_classes = [&](const std::string& name) {
    return !has_pictures_of_its_own(folder / name) && !with_pictures(folder / name).empty();
  };
  const bool alone = inside.size() == 1 && (folders_in(folder.string()).size() == 1 || is_for_pictures(inside[0]));
  if (alone) return has_classes(inside[0]) ? inside[0] : std::string();
  // images/CLASS beside masks/CLASS: the same folders several times.
  const std::vector<std::string> below = with_pictures(folder / inside[0]);
  const bool are_parts =
      std::all_of(below.begin(), below.end(), [](const std::string& n) { return !part_named(n).empty(); });
  const bool alike = inside.size() > 1 && below.size() > 1 && !are_parts &&
                     std::all_of(inside.begin(), inside.end(), [&](const std::string& name) {
                       return has_classes(name) && with_pictures(folder / name) == below;
                     });
  if (!alike) return {};
  const auto pictures = std::find_if(inside.begin(), inside.end(), is_for_pictures);
  if (pictures == inside.end())
    throw Error(shown(folder.string()) + ": its folders " + inside[0] + " and " + inside[1] +
                    " hold the same folders, so that it is not clear which are the classes",
                "give " + shown((folder / inside[0]).string()));
  data.notes.push_back(shown((folder / *pictures).string()) + " holds the pictures; what lies beside it is left aside");
  return *pictures;
}

/// The folder whose folders are the classes or the parts. `depth`: how many levels to go down at most; tells how many
/// they were.
fs::path level_of_classes(fs::path folder, Dataset& data, int& depth) {
  int taken = 0;
  for (; taken < depth; ++taken) {
    const std::string next = only_folder(folder, data);
    if (next.empty()) break;
    folder /= next;
  }
  depth = taken;
  return folder;
}

constexpr int kAnyDepth = 8;

struct Part {
  std::vector<std::string> classes;
  std::map<std::string, std::vector<std::string>> pictures;  // by class
};

/// What a set's folders are read with.
struct Reading {
  Dataset data;
  std::set<std::string> visited;
};

void set_aside(PictureList& from, Dataset& data) {
  for (const std::string& entry : from.ignored)
    if (entry.ends_with(kReadAlready)) data.notes.push_back(entry + ", and is left aside here");
  data.skipped.insert(data.skipped.end(), from.skipped.begin(), from.skipped.end());
  data.ignored.insert(data.ignored.end(), from.ignored.begin(), from.ignored.end());
}

/// What lies beside the class folders, or beside the parts that hold them, has no class: it is told, and left out.
void tell_loose_files(const fs::path& folder, const std::string& beside, Dataset& data) {
  std::error_code code;
  int64_t pictures = 0;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    std::error_code none;
    if (it->is_directory(none)) continue;
    const std::string path = it->path().string();
    const bool picture = kind_by_name(path) != FileKind::system && is_picture_file(path);
    pictures += picture;
    if (picture)
      data.skipped.push_back(shown(path) + ": is in no class folder");
    else
      data.ignored.push_back(shown(path) + ": is no picture");
  }
  if (pictures > 0)
    data.notes.push_back(std::to_string(pictures) + (pictures == 1 ? " picture" : " pictures") + " in " +
                         shown(folder.string()) + " lie beside " + beside + " and are left out");
}

/// `depth`: see level_of_classes.
Part read_part(const fs::path& given, Reading& reading, int& depth) {
  Dataset& data = reading.data;
  const fs::path folder = level_of_classes(given, data, depth);
  Part part;
  part.classes = folders_in(folder.string());
  for (const std::string& name : part.classes)
    for (const std::string& below : folders_in((folder / name).string()))
      if (is_part(folder / name / below) ||
          (!part_named(below).empty() && has_pictures_of_its_own(folder / name / below)))
        throw Error(shown((folder / name / below).string()) + ": parts of a set stand above the classes",
                    "move it to " + part_named(below) + "/" + name);
  tell_loose_files(folder, "the class folders", data);
  // A class's own folder counts before links to it from elsewhere.
  std::set<std::string> own;
  std::error_code code;
  for (const std::string& name : part.classes)
    if (!fs::is_symlink(folder / name, code) && reading.visited.insert(true_name((folder / name).string())).second)
      own.insert(name);
  for (const std::string& name : part.classes) {
    if (!is_utf8(name))
      throw Error(shown((folder / name).string()) + ": a class's name must be UTF-8, and this one is not",
                  "rename the folder");
    PictureList found;
    (own.contains(name) ? collect_visited : collect_pictures)((folder / name).string(), found, reading.visited);
    set_aside(found, data);
    part.pictures[name] = std::move(found.paths);
  }
  return part;
}

/// True names of the pictures that parts read by way of links to them.
std::set<std::string> linked_pictures(const std::map<std::string, Part>& parts) {
  std::error_code code;
  std::set<std::string> names;
  for (const auto& [part, contents] : parts)
    for (const auto& [label, pictures] : contents.pictures)
      for (const std::string& path : pictures)
        if (fs::is_symlink(path, code)) names.insert(true_name(path));
  return names;
}

}  // namespace

std::string part_named(const std::string& name) {
  static const std::map<std::string, std::string> names{
      {"train", "train"},    {"training", "train"}, {"val", "val"},        {"valid", "val"},
      {"validation", "val"}, {"dev", "val"},        {"test", "test"},      {"testing", "test"},
      {"trainval", "train"}, {"eval", "val"},       {"publictest", "val"}, {"privatetest", "test"}};
  const auto it = names.find(lower_case(name));
  return it == names.end() ? "" : it->second;
}

Dataset read_class_folders(const std::string& given) {
  Reading reading;
  Dataset& data = reading.data;
  int depth = kAnyDepth;
  const fs::path root = level_of_classes(given, data, depth);
  // Links back to what is read anyway lead nowhere new.
  std::error_code code;
  for (fs::path above = fs::canonical(root, code); !code && above.has_relative_path(); above = above.parent_path())
    reading.visited.insert(above.string());
  std::vector<std::string> folders;  // of the parts, what trains first
  for (const std::string& name : folders_in(root.string()))
    if (is_part(root / name)) folders.insert(part_named(name) == "train" ? folders.begin() : folders.end(), name);
  std::map<std::string, Part> parts;
  std::map<std::string, std::string> folder_of;
  int below = kAnyDepth;  // the classes of all parts stand as deep
  for (const std::string& name : folders) {
    const std::string part = part_named(name);
    if (parts.contains(part))
      throw Error(
          shown(root.string()) + ": has two folders for " + part + ", \"" + folder_of[part] + "\" and \"" + name + "\"",
          "leave one of them");
    folder_of[part] = name;
    parts[part] = read_part(root / name, reading, below);
  }
  data.is_split = !parts.empty();
  if (parts.empty()) {
    parts["train"] = read_part(root, reading, depth = 0);
  } else {
    std::optional<std::set<std::string>> linked;
    for (const std::string& name : with_pictures(root)) {
      if (std::find(folders.begin(), folders.end(), name) != folders.end()) continue;
      if (parts.size() == 1 || !part_named(name).empty())
        throw Error(shown((root / name).string()) + ": holds pictures beside " + folders[0] +
                        "/, so that it is not clear what the classes are",
                    "move it, or give " + shown((root / folders[0]).string()));
      PictureList found;
      collect_pictures((root / name).string(), found, reading.visited);
      if (!linked) linked = linked_pictures(parts);
      std::erase_if(found.paths, [&](const std::string& path) { return linked->contains(true_name(path)); });
      if (found.paths.empty()) continue;
      for (const std::string& path : found.paths) data.skipped.push_back(shown(path) + ": is in no part of the set");
      data.notes.push_back(shown((root / name).string()) +
                           " is no part like train, val and test: " + std::to_string(found.paths.size()) +
                           (found.paths.size() == 1 ? " picture in it is left out" : " pictures in it are left out"));
    }
    tell_loose_files(root, folders[0] + "/", data);
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
  return std::move(data);
}

}  // namespace graft

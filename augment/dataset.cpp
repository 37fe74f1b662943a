#include "graft/dataset.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "augment/codecs/codec.h"
#include "augment/data/class_folders.h"
#include "augment/data/file_kinds.h"
#include "augment/data/labelled_table.h"
#include "augment/data/picture_files.h"
#include "augment/data/shards.h"
#include "augment/data/split.h"
#include "augment/data/tar_archive.h"
#include "runtime/core/api_boundary.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

/// What is to be done about a part without pictures: folders and tables are mended in different ways.
std::string advice(const std::string& path, bool is_table, const std::string& part, const std::string& name) {
  if (is_table) return "add rows of the split " + part;
  return "put pictures into " + path + "/" + part + "/" + name + "/";
}

/// A table that lies in a folder and may name its pictures' classes; empty where there is none.
std::string table_in(const std::string& folder) {
  std::error_code code;
  std::set<std::string> tables;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    for (const char* ending : {".csv", ".tsv", ".jsonl"})
      if (lower_case(it->path().string()).ends_with(ending)) tables.insert(it->path().string());
  return tables.empty() ? "" : *tables.begin();
}

/// What would give a folder classes that has none, or one.
std::string remedy_without_classes(const std::string& folder, const std::string& otherwise) {
  const std::string table = table_in(folder);
  return table.empty() ? otherwise : "give " + table + " where that names the classes, or " + otherwise;
}

void check_training(const Dataset& data, const std::string& path, bool is_table, Task task) {
  if (data.classes.empty())
    throw Error(path + (is_table ? ": no picture has a label" : ": holds no class folders"),
                is_table ? "write path,label, path,label;label or path,value"
                         : remedy_without_classes(path, "put pictures into " + path + "/train/CLASS/ and " + path +
                                                            "/val/CLASS/, or into " + path + "/CLASS/"));
  if (data.train.empty())
    throw Error(path + ": there is no training picture", advice(path, is_table, "train", "CLASS"));
  if (task == Task::classes || (task == Task::multi_label && !is_table)) {
    std::vector<size_t> trained(data.classes.size(), 0);
    for (const LabelledFile& item : data.train) ++trained[static_cast<size_t>(item.label)];
    for (size_t i = 0; i < trained.size(); ++i) {
      const auto is_of = [&](const LabelledFile& item) { return static_cast<size_t>(item.label) == i; };
      if (trained[i] > 0) continue;
      if (std::any_of(data.validation.begin(), data.validation.end(), is_of) ||
          std::any_of(data.test.begin(), data.test.end(), is_of))
        throw Error(path + ": class \"" + data.classes[i] + "\" is validated or tested but never trained",
                    advice(path, is_table, "train", data.classes[i]));
      throw Error(path + ": class \"" + data.classes[i] + "\" has no training picture",
                  "add pictures or remove its folder");
    }
    if (data.classes.size() < 2)
      throw Error(path + ": there is only one class, \"" + data.classes[0] + "\", and a classifier needs two",
                  is_table ? "add rows of another" : remedy_without_classes(path, "make folders of more"));
  }
  if (data.validation.empty())
    throw Error(path + ": there is no validation picture",
                advice(path, is_table, "val", "CLASS") + ", or more pictures");
  if (task != Task::multi_label || !is_table) return;
  for (size_t k = 0; k < data.classes.size(); ++k)
    if (std::none_of(data.train.begin(), data.train.end(),
                     [&](const LabelledFile& item) { return item.target[k] > 0; })) {
      throw Error(path + ": label \"" + data.classes[k] + "\" is on no training picture", "add pictures or remove it");
    }
}

/// Scores say nothing of a class without a validation picture.
void tell_unvalidated(Dataset& data) {
  constexpr size_t kNamed = 3;
  std::vector<bool> validated(data.classes.size(), false);
  for (const LabelledFile& item : data.validation) validated[static_cast<size_t>(item.label)] = true;
  const auto missing = static_cast<size_t>(std::count(validated.begin(), validated.end(), false));
  if (missing == 0) return;
  std::string names;
  size_t named = 0;
  for (size_t i = 0; i < validated.size() && named < kNamed; ++i)
    if (!validated[i]) names += (named++ == 0 ? " \"" : ", \"") + data.classes[i] + "\"";
  data.notes.push_back((missing == 1 ? "class" : "classes") + names +
                       (missing > kNamed ? " and " + std::to_string(missing - kNamed) + " more" : "") +
                       (missing == 1 ? " has" : " have") + " no validation picture: the scores say nothing of " +
                       (missing == 1 ? "it" : "them"));
}

Dataset read_any(const std::string& path, Task task, const SplitSettings& split) {
  if (!fs::exists(path)) throw Error(path + ": does not exist", "check the path", ErrorCode::not_found);
  const bool shards = holds_shards(path), is_table = !shards && fs::is_regular_file(path);
  if (!is_table && task == Task::regression)
    throw Error(path + ": folders name classes, not values", "give a CSV of path,value[;value…][,split]");
  Dataset data = shards ? read_shards(path) : is_table ? read_labelled_table(path, task) : read_class_folders(path);
  if (split.trains) {
    if (data.validation.empty()) {
      if (data.is_split && !data.train.empty())
        data.notes.push_back(path + " has no part that validates: a part of its training pictures does");
      split_off(data, split);
    }
    check_training(data, path, is_table, task);
    if (task == Task::classes) tell_unvalidated(data);
  } else {
    if (!data.is_split) data.test = std::exchange(data.train, {});
    if (data.train.empty() && data.validation.empty() && data.test.empty())
      throw Error(path + (data.skipped.empty() ? ": holds no pictures" : ": holds no picture in a class's folder"),
                  is_table ? "add rows" : remedy_without_classes(path, "put pictures into " + path + "/CLASS/"));
  }
  if (task == Task::multi_label && !is_table) {
    for (auto* items : {&data.train, &data.validation, &data.test})
      for (LabelledFile& item : *items) {
        item.target.assign(data.classes.size(), 0);
        item.target[static_cast<size_t>(item.label)] = 1;
      }
  }
  return data;
}

/// Paths from standard input, an entry a line, or between NULs as `find -print0` writes them.
void read_listed(std::istream& stream, std::vector<std::string>& paths) {
  std::string text(std::istreambuf_iterator<char>(stream), {});
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  const char* ends = text.find('\0') == std::string::npos ? "\r\n" : "\0";
  const size_t count = text.find('\0') == std::string::npos ? 2 : 1;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find_first_of(ends, at, count), text.size());
    if (end > at) paths.push_back(text.substr(at, end - at));
    at = end + 1;
  }
}

}  // namespace

Dataset read_dataset(const std::string& path, Task task, const SplitSettings& split) {
  return at_api_boundary([&] { return with_code(ErrorCode::bad_data, [&] { return read_any(path, task, split); }); });
}

Dataset make_dataset(const std::vector<std::string>& paths, const std::vector<std::string>& labels,
                     const SplitSettings& split) {
  return at_api_boundary([&] {
    if (paths.size() != labels.size())
      throw Error("there are " + std::to_string(paths.size()) + " paths and " + std::to_string(labels.size()) +
                  " labels");
    Dataset data;
    data.classes = labels;
    std::sort(data.classes.begin(), data.classes.end());
    data.classes.erase(std::unique(data.classes.begin(), data.classes.end()), data.classes.end());
    sort_naturally(data.classes);
    std::map<std::string, int> place;
    for (size_t k = 0; k < data.classes.size(); ++k) place[data.classes[k]] = static_cast<int>(k);
    for (size_t i = 0; i < paths.size(); ++i) data.train.push_back({paths[i], place.at(labels[i])});
    if (data.classes.empty()) throw Error("there are no pictures", "list some", ErrorCode::bad_data);
    split_off(data, split);
    with_code(ErrorCode::bad_data, [&] { check_training(data, "the list", true, Task::classes); });
    return data;
  });
}

PictureList list_pictures(const std::vector<std::string>& inputs) {
  return at_api_boundary([&] {
    PictureList list;
    for (const std::string& input : inputs) {
      std::error_code code;
      if (input == "-") {
        read_listed(std::cin, list.paths);
      } else if (fs::is_directory(input, code) || (is_tar(input) && fs::is_regular_file(input, code))) {
        const size_t before = list.paths.size();
        std::set<std::string> visited;
        if (is_tar(input) && !fs::is_directory(input, code))
          collect_from_tar(input, list);
        else
          collect_pictures(input, list, visited);
        if (list.paths.size() == before)
          throw Error(input + ": holds no pictures", "give a folder or an archive with " + codec_names() + " files",
                      ErrorCode::bad_data);
      } else if (fs::exists(input, code)) {
        list.paths.push_back(input);
      } else {
        glob_t matches{};
        if (glob(input.c_str(), 0, nullptr, &matches) == 0)
          list.paths.insert(list.paths.end(), matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
        else
          list.paths.push_back(input);  // named when it cannot be opened
        globfree(&matches);
      }
    }
    return list;
  });
}

std::vector<std::string> classes_of(const PictureList& pictures, const std::vector<std::string>& inputs) {
  return at_api_boundary([&] {
    std::map<std::string, std::string> class_of;
    for (const std::string& input : inputs) {
      std::error_code code;
      if (!fs::is_directory(input, code) && !is_tar(input)) continue;
      try {
        const Dataset data = holds_shards(input) ? read_shards(input) : read_class_folders(input);
        for (const auto* files : {&data.train, &data.validation, &data.test})
          for (const LabelledFile& file : *files)
            class_of[file.path] = data.classes.at(static_cast<size_t>(file.label));
      } catch (const Error&) {  // a folder of anything else has none
      }
    }
    std::vector<std::string> classes;
    for (const std::string& path : pictures.paths) {
      const auto known = class_of.find(path);
      classes.push_back(known == class_of.end() ? "" : known->second);
    }
    return classes;
  });
}

}  // namespace graft

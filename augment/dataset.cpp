#include "graft/dataset.h"

#include <glob.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "runtime/core/api_boundary.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

bool has_picture_extension(const std::string& path) {
  std::string extension = fs::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  static const std::set<std::string> known{".jpg",  ".jpeg", ".jpe", ".png", ".bmp", ".tif",
                                           ".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm"};
  return known.contains(extension);
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    entries.push_back(it->path());
  if (code) throw Error(folder.string() + ": cannot be listed (" + code.message() + ")", {}, ErrorCode::io);
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::vector<std::string> class_folders(const fs::path& root) {
  std::vector<std::string> names;
  for (const fs::path& p : sorted_entries(root))
    if (fs::is_directory(p) && p.filename().string()[0] != '.') names.push_back(p.filename().string());
  return names;
}

void collect(const fs::path& root, const std::vector<std::string>& classes, std::vector<LabelledFile>& items,
             std::vector<std::string>& skipped) {
  for (size_t label = 0; label < classes.size(); ++label) {
    const fs::path folder = root / classes[label];
    if (!fs::is_directory(folder)) continue;
    for (const fs::path& p : sorted_entries(folder)) {
      if (!fs::is_regular_file(p) || p.filename().string()[0] == '.') continue;
      if (has_picture_extension(p.string()))
        items.push_back({p.string(), static_cast<int>(label)});
      else
        skipped.push_back(p.string() + ": has no picture's extension");
    }
  }
}

/// Moves the given part of each class to the validation set, chosen by (seed, position).
void split_off(Dataset& data, const SplitSettings& split) {
  std::map<int, std::vector<LabelledFile>> by_class;
  for (LabelledFile& item : data.train) by_class[item.label].push_back(item);
  data.train.clear();
  for (auto& [label, items] : by_class) {
    for (size_t i = items.size(); i > 1; --i)
      std::swap(items[i - 1], items[mix(mix(split.seed, static_cast<uint64_t>(label)), i) % i]);
    const auto taken =
        items.size() < 2
            ? 0
            : std::max<size_t>(1, static_cast<size_t>(static_cast<double>(items.size()) * split.validation_part));
    for (size_t i = 0; i < items.size(); ++i) (i < taken ? data.validation : data.train).push_back(items[i]);
  }
  const auto by_path = [](const LabelledFile& a, const LabelledFile& b) { return a.path < b.path; };
  std::sort(data.train.begin(), data.train.end(), by_path);
  std::sort(data.validation.begin(), data.validation.end(), by_path);
}

/// Fields of one CSV line; quotes may hold commas, a doubled quote is a quote.
std::vector<std::string> csv_fields(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"')
      fields.back() += line[++i];
    else if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      fields.emplace_back();
    else if (c != '\r')
      fields.back() += c;
  }
  return fields;
}

std::vector<std::string> separated(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ';');) {
    const size_t first = part.find_first_not_of(" \t"), last = part.find_last_not_of(" \t");
    if (first != std::string::npos) parts.push_back(part.substr(first, last - first + 1));
  }
  return parts;
}

/// The numbers of a field. Throws Error naming the line.
std::vector<float> numbers(const std::string& text, const std::string& place) {
  std::vector<float> values;
  for (const std::string& word : separated(text)) {
    size_t used = 0;
    float value = 0;
    try {
      value = std::stof(word, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used != word.size() || !std::isfinite(value))
      throw Error(place + ": \"" + word + "\" is no number", "write path,value[;value…][,split]");
    values.push_back(value);
  }
  return values;
}

Dataset read_csv(const std::string& path, const SplitSettings& split, Task task) {
  std::ifstream stream(path);
  if (!stream) throw Error(path + ": cannot be opened", "check the path", ErrorCode::not_found);
  struct Row {
    std::string path, label, split;
    size_t line;
  };
  std::vector<std::string> value_names;
  std::vector<Row> rows;
  std::set<std::string> labels;
  bool has_split = false;
  size_t number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto fields = csv_fields(line);
    if (fields.size() < 2)
      throw Error(path + ", line " + std::to_string(number) + ": has no label", "write path,label or path,label,split");
    if (rows.empty() && labels.empty() && (fields[0] == "path" || fields[0] == "file" || fields[0] == "filename")) {
      value_names = separated(fields[1]);
      continue;
    }
    rows.push_back({fields[0], fields[1], fields.size() > 2 ? fields[2] : "", number});
    if (task == Task::multi_label) {
      for (const std::string& label : separated(fields[1])) labels.insert(label);
    } else {
      labels.insert(fields[1]);
    }
    has_split = has_split || (fields.size() > 2 && !fields[2].empty());
  }
  Dataset data;
  const auto place = [&](const Row& row) { return path + ", line " + std::to_string(row.line); };
  if (task == Task::regression) {
    const size_t count = rows.empty() ? 0 : numbers(rows[0].label, place(rows[0])).size();
    for (size_t k = 0; k < count; ++k)
      data.classes.push_back(k < value_names.size() ? value_names[k]
                             : count == 1           ? "value"
                                                    : "value" + std::to_string(k + 1));
  } else {
    data.classes.assign(labels.begin(), labels.end());
  }
  const auto item_of = [&](const Row& row, const std::string& file) {
    LabelledFile item{file, 0};
    if (task == Task::regression) {
      item.target = numbers(row.label, place(row));
      if (item.target.size() != data.classes.size() || item.target.empty())
        throw Error(place(row) + ": has " + std::to_string(item.target.size()) + " values where the first has " +
                    std::to_string(data.classes.size()));
    } else if (task == Task::multi_label) {
      item.target.assign(data.classes.size(), 0);
      for (const std::string& label : separated(row.label))
        item.target[static_cast<size_t>(std::distance(labels.begin(), labels.find(label)))] = 1;
    } else {
      item.label = static_cast<int>(std::distance(labels.begin(), labels.find(row.label)));
    }
    return item;
  };
  const fs::path folder = fs::path(path).parent_path();
  for (const Row& row : rows) {
    const bool validates =
        row.split == "val" || row.split == "valid" || row.split == "validation" || row.split == "test";
    if (!row.split.empty() && !validates && row.split != "train")
      throw Error(path + ": unknown split \"" + row.split + "\"", "use train or val");
    (validates ? data.validation : data.train).push_back(item_of(row, (folder / row.path).string()));
  }
  if (!has_split) split_off(data, split);
  return data;
}

void check_targets(const Dataset& data, const std::string& path, Task task) {
  if (data.train.empty() || data.validation.empty())
    throw Error(path + ": there are too few pictures to train and to validate",
                "add rows, or mark some with the split val");
  if (data.classes.empty()) throw Error(path + ": no picture has a label", "write path,label;label or path,value");
  if (task != Task::multi_label) return;
  for (size_t k = 0; k < data.classes.size(); ++k)
    if (std::none_of(data.train.begin(), data.train.end(),
                     [&](const LabelledFile& item) { return item.target[k] > 0; })) {
      throw Error(path + ": label \"" + data.classes[k] + "\" is on no training picture", "add pictures or remove it");
    }
}

void check(const Dataset& data, const std::string& path) {
  if (data.classes.empty())
    throw Error(path + ": holds no class folders",
                "put pictures into " + path + "/train/CLASS/ and " + path + "/val/CLASS/, or into " + path + "/CLASS/");
  std::vector<size_t> count(data.classes.size(), 0);
  for (const LabelledFile& item : data.train) ++count[static_cast<size_t>(item.label)];
  for (size_t i = 0; i < count.size(); ++i)
    if (count[i] == 0)
      throw Error(path + ": class \"" + data.classes[i] + "\" has no training picture",
                  "add pictures or remove its folder");
  if (data.classes.size() < 2)
    throw Error(path + ": there is only one class, \"" + data.classes[0] + "\"", "a classifier needs at least two");
  if (data.validation.empty())
    throw Error(path + ": there is no validation picture", "add " + path + "/val/CLASS/ or more pictures");
}

Dataset read_any(const std::string& path, Task task, const SplitSettings& split) {
  if (!fs::exists(path)) throw Error(path + ": does not exist", "check the path", ErrorCode::not_found);
  Dataset data;
  if (fs::is_regular_file(path)) {
    data = read_csv(path, split, task);
    if (task != Task::classes) {
      check_targets(data, path, task);
      return data;
    }
  } else if (task == Task::regression) {
    throw Error(path + ": folders name classes, not values", "give a CSV of path,value[;value…][,split]");
  } else {
    const fs::path root(path), train = root / "train";
    if (fs::is_directory(train)) {
      data.classes = class_folders(train);
      collect(train, data.classes, data.train, data.skipped);
      for (const char* name : {"val", "valid", "validation", "test"}) {
        if (!fs::is_directory(root / name)) continue;
        for (const std::string& c : class_folders(root / name))
          if (std::find(data.classes.begin(), data.classes.end(), c) == data.classes.end())
            throw Error(path + ": class \"" + c + "\" is validated but never trained",
                        "add " + train.string() + "/" + c);
        collect(root / name, data.classes, data.validation, data.skipped);
        break;
      }
      if (data.validation.empty() && !data.classes.empty()) split_off(data, split);
    } else {
      data.classes = class_folders(root);
      collect(root, data.classes, data.train, data.skipped);
      if (!data.classes.empty()) split_off(data, split);
    }
  }
  check(data, path);
  if (task == Task::multi_label) {
    for (auto* items : {&data.train, &data.validation})
      for (LabelledFile& item : *items) {
        item.target.assign(data.classes.size(), 0);
        item.target[static_cast<size_t>(item.label)] = 1;
      }
  }
  return data;
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
    const std::set<std::string> names(labels.begin(), labels.end());
    data.classes.assign(names.begin(), names.end());
    for (size_t i = 0; i < paths.size(); ++i)
      data.train.push_back({paths[i], static_cast<int>(std::distance(names.begin(), names.find(labels[i])))});
    if (data.classes.empty()) throw Error("there are no pictures", "list some", ErrorCode::bad_data);
    split_off(data, split);
    with_code(ErrorCode::bad_data, [&] { check(data, "the list"); });
    return data;
  });
}

std::vector<std::string> list_pictures(const std::vector<std::string>& inputs) {
  return at_api_boundary([&] {
    std::vector<std::string> paths;
    for (const std::string& input : inputs) {
      std::error_code code;
      if (input == "-") {
        for (std::string line; std::getline(std::cin, line);)
          if (!line.empty()) paths.push_back(line);
      } else if (fs::is_directory(input, code)) {
        std::vector<std::string> found;
        for (fs::recursive_directory_iterator it(input, fs::directory_options::skip_permission_denied, code), end;
             !code && it != end; it.increment(code))
          if (it->is_regular_file(code) && has_picture_extension(it->path().string()))
            found.push_back(it->path().string());
        std::sort(found.begin(), found.end());
        if (found.empty())
          throw Error(input + ": holds no pictures", "give a folder with JPEG, PNG, BMP, TIFF, WebP or PNM files",
                      ErrorCode::bad_data);
        paths.insert(paths.end(), found.begin(), found.end());
      } else if (fs::exists(input, code)) {
        paths.push_back(input);
      } else {
        glob_t matches{};
        if (glob(input.c_str(), 0, nullptr, &matches) == 0)
          paths.insert(paths.end(), matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
        else
          paths.push_back(input);  // named when it cannot be opened
        globfree(&matches);
      }
    }
    return paths;
  });
}

}  // namespace graft

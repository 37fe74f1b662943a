#include "apps/library/features_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "apps/library/read_lines.h"
#include "augment/data/file_kinds.h"
#include "graft/feature_extractor.h"
#include "runtime/core/api_boundary.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/npy_header.h"
#include "runtime/core/npz.h"

namespace graft {
namespace {

std::string folder_of(const std::string& path) { return std::filesystem::path(path).parent_path().filename().string(); }

std::string extension_of(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension != ".npy" && extension != ".npz" && extension != ".csv")
    throw Error(path + ": unknown format", "end the name in .npy, .npz or .csv", ErrorCode::unsupported);
  return extension;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? "\"\"" : std::string(1, c);
  return result + '"';
}

const std::string& class_name(const FeatureTable& table, size_t row) {
  static const std::string none;
  const int64_t label = table.labels[row];
  return label < 0 || static_cast<size_t>(label) >= table.classes.size() ? none
                                                                         : table.classes[static_cast<size_t>(label)];
}

void write_csv(const FeatureTable& table, std::ostream& stream) {
  stream << "path,label,class";
  for (size_t d = 0; d < table.width; ++d) stream << ",f" << d;
  stream << "\n";
  size_t i = 0;
  std::string line;
  table.each_row([&](std::span<const float> row) {
    line = quoted(table.paths.empty() ? std::string() : table.paths[i]) + ',' + std::to_string(table.labels[i]) + ',' +
           quoted(class_name(table, i));
    for (const float value : row) {
      std::array<char, 32> digits{};
      line += ',';
      line.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
    }
    stream << line << '\n';
    ++i;
  });
}

void write_npz(const FeatureTable& table, const std::string& path, std::ostream& stream) {
  const auto rows = static_cast<int64_t>(table.labels.size());
  NpzWriter writer(stream, path);
  writer.add("features", {rows, static_cast<int64_t>(table.width)}, table.each_row);
  writer.add("labels", Tensor::copy_of<int64_t>({rows}, table.labels));
  writer.add("paths", table.paths);
  writer.add("classes", table.classes);
  if (!table.made_by.empty()) writer.add("made_by", std::vector<std::string>{table.made_by});
  writer.finish();
}

/// A field, which quotes may stand around, "" standing for one of them; `at` goes behind it.
std::string text_field(const std::string& line, size_t& at) {
  std::string text;
  if (at >= line.size() || line[at] != '"') {
    const size_t begin = std::min(at, line.size());
    at = std::min(line.find(',', begin), line.size());
    return line.substr(begin, at - begin);
  }
  for (++at; at < line.size(); ++at) {
    if (line[at] == '"' && (at + 1 == line.size() || line[at + 1] != '"')) break;
    if (line[at] == '"') ++at;
    text += line[at];
  }
  if (at >= line.size()) throw Error("has a quote without its end");
  ++at;
  return text;
}

void read_csv_row(const std::string& line, size_t width, std::vector<float>& values, FeatureRow& row) {
  size_t at = 0;
  row.path = text_field(line, at);
  at = line.find(',', at + 1);
  if (at == std::string::npos) throw Error("has too few fields");
  row.class_name = text_field(line, ++at);
  values.clear();
  while (at < line.size()) {
    float value = 0;
    const auto [end, error] = std::from_chars(line.data() + at + 1, line.data() + line.size(), value);
    if (line[at] != ',' || error != std::errc()) throw Error("has a field that is no number");
    values.push_back(value);
    at = static_cast<size_t>(end - line.data());
  }
  if (values.size() != width)
    throw Error("has " + std::to_string(values.size()) + " features, not " + std::to_string(width));
  row.features = values;
}

void read_csv(const std::string& path, const std::function<void(const FeatureRow&)>& use) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error("cannot be opened", "check the path", ErrorCode::not_found);
  std::string line;
  std::getline(stream, line);
  const auto without_return = [](std::string& text) {
    if (text.ends_with('\r')) text.pop_back();
  };
  without_return(line);
  if (line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);  // what spreadsheets write in front
  if (!line.starts_with("path,label,class,f0"))
    throw Error("is no table of features with a column \"class\"", "extract it anew");
  const auto width = static_cast<size_t>(std::count(line.begin(), line.end(), ',') - 2);
  std::vector<float> values;
  FeatureRow row;
  const auto is_whole = [](const std::string& text) { return std::count(text.begin(), text.end(), '"') % 2 == 0; };
  size_t number = 1;
  for (std::string more; std::getline(stream, line);) {
    ++number;
    while (!is_whole(line) && std::getline(stream, more)) {  // a name may hold a line's end
      line += '\n' + more;
      ++number;
    }
    without_return(line);
    if (line.empty()) continue;
    with_place([&] { return "line " + std::to_string(number); },
               [&] {
                 read_csv_row(line, width, values, row);
                 use(row);
               });
  }
}

void read_npy_rows(const std::string& path, const std::function<void(const FeatureRow&)>& use) {
  const std::vector<std::string> paths = read_lines(path + ".paths.txt");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error("cannot be opened", "check the path", ErrorCode::not_found);
  const NpyHeader header = read_npy_header(stream);
  if (header.dtype != DType::f32 || header.shape.rank() != 2) throw Error("is no table of float32");
  if (static_cast<size_t>(header.shape[0]) != paths.size())
    throw Error("has " + std::to_string(header.shape[0]) + " rows, its .paths.txt " + std::to_string(paths.size()),
                "extract it anew");
  std::vector<float> values(static_cast<size_t>(header.shape[1]));
  for (const std::string& picture : paths) {
    if (!stream.read(reinterpret_cast<char*>(values.data()),
                     static_cast<std::streamsize>(values.size() * sizeof(float))))
      throw Error("is truncated");
    use({picture, {}, values});
  }
}

void read_npz_rows(const std::string& path, const std::function<void(const std::string&)>& about,
                   const std::function<void(const FeatureRow&)>& use) {
  NpzReader reader(path);
  if (reader.has("made_by")) about(reader.texts("made_by").at(0));
  const Tensor labels = reader.tensor("labels");
  const std::vector<std::string> paths = reader.texts("paths"), classes = reader.texts("classes");
  if (labels.dtype() != DType::i64 || labels.data<int64_t>().size() != paths.size() ||
      reader.shape("features").at(0) != static_cast<int64_t>(paths.size()))
    throw Error("has other numbers of rows, labels and paths", "extract it anew");
  size_t i = 0;
  reader.rows("features", [&](std::span<const float> features) {
    const auto label = static_cast<size_t>(labels.data<int64_t>()[i]);
    use({paths[i], label < classes.size() ? classes[label] : std::string(), features});
    ++i;
  });
}

}  // namespace

std::vector<int64_t> class_labels(const std::vector<std::string>& paths, const std::vector<std::string>& labels) {
  std::map<std::string, int64_t> index;
  for (size_t i = 0; i < labels.size(); ++i) index[labels[i]] = static_cast<int64_t>(i);
  std::vector<std::string> folders;
  for (const std::string& p : paths) folders.push_back(folder_of(p));
  if (std::none_of(folders.begin(), folders.end(), [&](const std::string& f) { return index.contains(f); })) {
    index.clear();
    for (const std::string& f : folders) index[f] = 0;
    if (index.size() < 2) return std::vector<int64_t>(paths.size(), -1);
    int64_t next = 0;
    for (auto& [name, i] : index) i = next++;
  }
  std::vector<int64_t> result;
  for (const std::string& f : folders) result.push_back(index.contains(f) ? index[f] : -1);
  return result;
}

void check_features_path(const std::string& path) {
  at_api_boundary([&] {
    extension_of(path);
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    std::error_code code;
    if (!folder.empty() && !std::filesystem::is_directory(folder, code))
      throw Error(path + ": its folder does not exist", "create " + folder.string(), ErrorCode::not_found);
    const std::string place = folder.empty() ? "." : folder.string();
    if (::access(place.c_str(), W_OK) != 0)
      throw Error(path + ": its folder cannot be written to", "choose another", ErrorCode::io);
  });
}

void check_size(const std::string& path, size_t rows, size_t width) {
  if (extension_of(path) == ".npz" && rows > NpzWriter::kMostBytes / (width * sizeof(float)))
    throw Error(path + ": " + std::to_string(rows) + " rows of " + std::to_string(width) +
                    " features are more than the 4 GiB that it can hold",
                "end its name in .npy", ErrorCode::unsupported);
}

void write_features(const FeatureTable& table, const std::string& path) {
  const std::string extension = extension_of(path);
  write_atomically(path, [&](std::ostream& stream) {
    if (extension == ".csv") return write_csv(table, stream);
    if (extension == ".npz") return write_npz(table, path, stream);
    stream << npy_header(DType::f32, {static_cast<int64_t>(table.labels.size()), static_cast<int64_t>(table.width)});
    table.each_row([&](std::span<const float> row) {
      stream.write(reinterpret_cast<const char*>(row.data()), static_cast<std::streamsize>(row.size_bytes()));
    });
  });
  if (extension != ".npy" || table.paths.empty()) return;
  write_atomically(path + ".paths.txt", [&](std::ostream& stream) {  // a path a row
    for (const std::string& p : table.paths) stream << p << '\n';
  });
}

void read_features(const std::string& path, const std::function<void(const std::string& made_by)>& about,
                   const std::function<void(const FeatureRow&)>& use) {
  const std::string extension = extension_of(path);
  with_place([&] { return path; },
             [&] {
               with_code(ErrorCode::corrupt_file, [&] {
                 if (extension == ".csv") return read_csv(path, use);
                 if (extension == ".npz") return read_npz_rows(path, about, use);
                 read_npy_rows(path, use);
               });
             });
}

void number_classes(const std::vector<std::string>& class_names, const std::vector<std::string>& labels,
                    std::vector<int64_t>& numbers, std::vector<std::string>& classes) {
  std::set<std::string> names(class_names.begin(), class_names.end());
  names.erase("");
  classes.assign(names.begin(), names.end());
  sort_naturally(classes);
  if (std::any_of(labels.begin(), labels.end(), [&](const std::string& l) { return names.contains(l); }))
    classes = labels;
  std::map<std::string, int64_t> index;
  for (size_t i = 0; i < classes.size(); ++i) index.try_emplace(classes[i], static_cast<int64_t>(i));
  numbers.clear();
  for (const std::string& name : class_names) {
    const auto known = index.find(name);
    numbers.push_back(known == index.end() ? -1 : known->second);
  }
}

void save_features(const Features& features, const std::string& path) {
  at_api_boundary([&] {
    write_features({features.width,
                    features.paths,
                    features.labels,
                    features.classes,
                    {},
                    [&](const auto& use) {
                      for (size_t i = 0; i < features.rows; ++i) use(features.row(i));
                    }},
                   path);
  });
}

}  // namespace graft

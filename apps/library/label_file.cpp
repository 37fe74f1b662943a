#include "apps/library/label_file.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <set>

#include "augment/data/file_kinds.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& problem, const std::string& remedy) {
  throw Error(problem, remedy, ErrorCode::bad_data);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines{""};
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' || (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')))
      lines.emplace_back();
    else if (text[i] != '\r')
      lines.back() += text[i];
  }
  while (!lines.empty() && lines.back().find_first_not_of(" \t") == std::string::npos) lines.pop_back();
  return lines;
}

/// Names by their indices, which run from 0 or 1 without a gap; nothing where they do not.
std::optional<std::vector<std::string>> in_order(const std::map<int64_t, std::string>& names) {
  if (names.empty()) return std::nullopt;
  const int64_t first = names.begin()->first;
  if (first != 0 && first != 1) return std::nullopt;
  if (names.rbegin()->first - first + 1 != std::ssize(names)) return std::nullopt;
  std::vector<std::string> list;
  for (const auto& [index, name] : names) list.push_back(name);
  return list;
}

/// Lines of which each is an index and a name, as `form` has them; the first may be a header. Nothing for others.
std::optional<std::vector<std::string>> indexed(const std::vector<std::string>& lines, const std::regex& form,
                                                size_t index, size_t name) {
  static const std::regex column(
      R"(\s*"?(#|index|idx|id|no|number|class_?id|label_?id|class|label|name|category|code)\b.*)", std::regex::icase);
  for (const size_t header : {0, 1}) {
    if (lines.size() <= header || (header == 1 && !std::regex_match(lines[0], column))) return std::nullopt;
    std::map<int64_t, std::string> names;
    const bool all =
        std::all_of(lines.begin() + static_cast<std::ptrdiff_t>(header), lines.end(), [&](const auto& line) {
          std::smatch parts;
          return std::regex_match(line, parts, form) && parts.length(index) < 10 &&
                 names.emplace(std::stoll(parts.str(index)), parts.str(name)).second;
        });
    if (!all) continue;
    auto list = in_order(names);
    // "1 euro", "2 euro": what is cut off told them apart.
    if (list && std::set<std::string>(list->begin(), list->end()).size() == list->size()) return list;
  }
  return std::nullopt;
}

/// A name, or the second of Keras' pairs of synset and name.
std::optional<std::string> name_in(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array() && value.size() == 2 && value[1].is_string()) return value[1].get<std::string>();
  return std::nullopt;
}

std::optional<std::vector<std::string>> from_json(const json& value) {
  if (value.is_array()) {
    std::vector<std::string> list;
    for (const json& entry : value) {
      const auto name = name_in(entry);
      if (!name) return std::nullopt;
      list.push_back(*name);
    }
    return list;
  }
  if (!value.is_object()) return std::nullopt;
  for (const char* key : {"id2label", "labels", "classes", "names"})
    if (value.contains(key) && value[key].is_structured() && !name_in(value[key])) return from_json(value[key]);
  std::map<int64_t, std::string> names;
  for (const auto& [key, entry] : value.items()) {
    const bool index_first =
        !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == std::string::npos;
    const auto name = index_first ? name_in(entry) : std::optional<std::string>(key);
    if (!name || (!index_first && !entry.is_number_integer())) return std::nullopt;
    if (!names.emplace(index_first ? std::stoll(key) : entry.get<int64_t>(), *name).second) return std::nullopt;
  }
  return in_order(names);
}

LabelFile understood(const std::string& path, const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin != std::string::npos && (text[begin] == '[' || text[begin] == '{')) {
    const json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
    const auto names = value.is_discarded() ? std::nullopt : from_json(value);
    const char end = text[text.find_last_not_of(" \t\r\n")];
    const bool is_list = value.is_discarded() && end != ']' && end != '}';  // whose first name is in brackets
    if (!names && !is_list)
      refuse(path + ": is no JSON that names classes", "give a list of names, or an object of indices and names");
    if (names) return {*names, "JSON"};
  }
  const std::vector<std::string> lines = lines_of(text);
  constexpr size_t kLongest = 500;  // characters in a name, beyond which no form is looked for
  if (std::any_of(lines.begin(), lines.end(), [](const std::string& line) { return line.size() > kLongest; }))
    return {lines, ""};
  static const std::regex first(R"(\s*(\d+)\s*[,;:\t ]\s*(.*\S)\s*)"), last(R"(\s*(.*\S)\s*[,;:\t]\s*(\d+)\s*)"),
      synset(R"(n\d+[,\t ]\s*(.*\S)\s*)");
  if (auto names = indexed(lines, first, 1, 2)) return {*names, "an index and a name a line"};
  if (auto names = indexed(lines, last, 2, 1)) return {*names, "a name and an index a line"};
  LabelFile file{lines, ""};
  const auto is_synset = [](const std::string& line) { return std::regex_match(line, synset); };
  if (!lines.empty() && std::all_of(lines.begin(), lines.end(), is_synset)) {
    for (std::string& name : file.names) name = std::regex_replace(name, synset, "$1");
    file.form = "a synset and a name a line";
  }
  return file;
}

}  // namespace

LabelFile read_label_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error(path + ": cannot be opened", "check the path", ErrorCode::not_found);
  std::string text(std::istreambuf_iterator<char>(stream), {});
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) refuse(path + ": is UTF-16", "save it as UTF-8");
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  if (!is_utf8(text)) refuse(path + ": is no UTF-8", "save it as UTF-8");
  LabelFile file = understood(path, text);
  for (size_t i = 0; i < file.names.size(); ++i)
    if (file.names[i].find_first_not_of(" \t") == std::string::npos)
      refuse(path + ": name " + std::to_string(i + 1) + " is empty", "name every class");
  return file;
}

}  // namespace graft

#include "augment/data/table.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "augment/data/file_kinds.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

constexpr size_t kRowsThatDecide = 20;

std::string whole_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw Error(path + ": cannot be opened", "check the path", ErrorCode::not_found);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
  return first == std::string::npos ? std::string() : text.substr(first, last - first + 1);
}

/// At most `limit` rows. `open_quote`: the line of a quote that is never closed; 0 where there is none.
std::vector<TextTable::Row> rows_of(const std::string& text, char separator, size_t limit, size_t& open_quote) {
  std::vector<TextTable::Row> rows;
  TextTable::Row row;
  std::string field;
  bool quoted = false, was_quoted = false;
  size_t line = 1, quote_line = 0;
  row.line = 1;
  const auto end_field = [&] {
    row.fields.push_back(was_quoted ? field : trimmed(field));
    field.clear();
    was_quoted = false;
  };
  const auto end_row = [&] {
    end_field();
    const bool empty = row.fields.size() == 1 && row.fields[0].empty();
    if (!empty) rows.push_back(std::move(row));
    row = {{}, line};
  };
  for (size_t i = 0; i < text.size() && rows.size() < limit; ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\n') ++line;
      if (c == '"' && i + 1 < text.size() && text[i + 1] == '"')
        field += text[++i];
      else if (c == '"')
        quoted = false;
      else
        field += c;
    } else if (c == '"' && trimmed(field).empty()) {
      quoted = was_quoted = true;
      quote_line = line;
      field.clear();
    } else if (c == separator) {
      end_field();
    } else if (c == '\n' || c == '\r') {
      if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
      ++line;
      end_row();
    } else if (!was_quoted || (c != ' ' && c != '\t')) {
      field += c;
    }
  }
  open_quote = quoted && rows.size() < limit ? quote_line : 0;
  if (rows.size() < limit && (!field.empty() || was_quoted || !row.fields.empty())) end_row();
  return rows;
}

/// The one that makes most fields picture files' names, then most rows of several fields.
char separator_of(const std::string& text) {
  char best = ',';
  std::pair<size_t, size_t> most{0, 0};
  for (const char separator : {',', '\t', ';', '|'}) {
    std::pair<size_t, size_t> count{0, 0};
    size_t open_quote = 0;
    for (const auto& row : rows_of(text, separator, kRowsThatDecide, open_quote)) {
      count.first += std::any_of(row.fields.begin(), row.fields.end(),
                                 [](const std::string& f) { return kind_by_name(f) == FileKind::picture; });
      count.second += row.fields.size() > 1;
    }
    if (count > most) {
      most = count;
      best = separator;
    }
  }
  return best;
}

std::string text_of(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return {};
  if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const auto& part : value) text += text_of(part) + TextTable::kListSeparator;
  return text;
}

TextTable json_lines(const std::string& path, const std::string& text) {
  TextTable table;
  std::istringstream stream(text);
  size_t number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto object = nlohmann::json::parse(line, nullptr, false);
    if (!object.is_object())
      throw Error(path + ", line " + std::to_string(number) + ": is no JSON object",
                  "write one object a line, as {\"path\": \"a.jpg\", \"label\": \"ant\"}");
    TextTable::Row row{std::vector<std::string>(table.names.size()), number};
    for (const auto& [key, value] : object.items()) {
      const auto at = std::find(table.names.begin(), table.names.end(), key);
      if (at == table.names.end()) {
        table.names.push_back(key);
        row.fields.push_back(text_of(value));
      } else {
        row.fields[static_cast<size_t>(at - table.names.begin())] = text_of(value);
      }
    }
    table.rows.push_back(std::move(row));
  }
  for (TextTable::Row& row : table.rows) row.fields.resize(table.names.size());
  return table;
}

}  // namespace

TextTable read_text_table(const std::string& path) {
  std::string text = whole_file(path);
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    throw Error(path + ": is UTF-16", "save it as UTF-8");
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  if (text.find('\0') != std::string::npos) throw Error(path + ": is no text", "give a table of paths and labels");
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && text[first] == '{') return json_lines(path, text);
  if (first != std::string::npos && text[first] == '[')
    throw Error(path + ": is one JSON array", "write its objects a line each, without commas between them");
  // Excel's way of saying what separates fields.
  char separator = 0;
  if (text.starts_with("sep=") && text.size() > 5 && (text[5] == '\n' || text[5] == '\r')) {
    separator = text[4];
    text.erase(0, text.find('\n') == std::string::npos ? 6 : text.find('\n') + 1);
  }
  size_t open_quote = 0;
  TextTable table{{}, rows_of(text, separator ? separator : separator_of(text), std::string::npos, open_quote)};
  if (open_quote > 0)
    throw Error(path + ", line " + std::to_string(open_quote) + ": a quote is opened and never closed", "close it");
  return table;
}

}  // namespace graft

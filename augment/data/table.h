#pragma once

#include <string>
#include <vector>

namespace graft {

/// A table of text as it stands in a file: every row has its line.
struct TextTable {
  /// Behind each part of a JSON list.
  static constexpr char kListSeparator = '\x1f';
  struct Row {
    std::vector<std::string> fields;
    size_t line = 0;
  };
  std::vector<std::string> names;  // of the columns, where the format has them apart (JSON lines)
  std::vector<Row> rows;
};

/// Reads comma-, tab-, semicolon- or bar-separated values with quotes [RFC 4180], or JSON lines; a byte order mark, and
/// any ends of lines. Which separator it is follows from what makes fields that are pictures' names. Lists and numbers
/// in JSON become text. Fields are trimmed, empty lines left out. Throws Error naming
/// the line.
TextTable read_text_table(const std::string& path);

}  // namespace graft

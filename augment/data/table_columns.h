#pragma once

#include <optional>
#include <string>
#include <vector>

#include "augment/data/picture_finder.h"
#include "augment/data/table.h"
#include "graft/task.h"

namespace graft {

/// What the columns of a table of pictures are.
struct TableColumns {
  static constexpr size_t kNone = std::string::npos;
  std::vector<std::string> names;  // of all; empty without a header
  size_t file = kNone, part = kNone, weight = kNone;
  std::vector<size_t> labels;   // one, or one for each label or value
  bool one_hot = false;         // those hold whether a label is there
  std::string part_where_true;  // the part column holds whether a picture is of this part; empty: it names parts
  bool part_is_found = false;   // by what it holds, or as such a column: its name alone does not say it
};

/// Finds out by the names in the first row, which is taken out of the table then, else by what stands in the columns.
/// Throws Error naming the line, or showing the first rows where it is not clear.
TableColumns find_columns(const std::string& path, TextTable& table, const PictureFinder& finder, Task task);

/// A row's field; empty where the row ends before it.
std::string field(const TextTable::Row& row, size_t column);
/// Words with something between them.
std::string joined(const std::vector<std::string>& words, const char* between);
std::optional<float> number_in(const std::string& text);
/// What a column for one label says: 0, 1, true, false, yes, no; blank is no.
std::optional<bool> bit_in(const std::string& text);
[[noreturn]] void fail_in_row(const std::string& path, const TextTable::Row& row, const std::string& what,
                              const std::string& hint);

}  // namespace graft

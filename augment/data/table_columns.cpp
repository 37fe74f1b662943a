#include "augment/data/table_columns.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "augment/data/class_folders.h"
#include "augment/data/file_kinds.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

constexpr size_t kRowsThatDecide = 50, kNone = TableColumns::kNone;

using Names = std::vector<std::string>;  // the likelier ones first
using Columns = std::vector<size_t>;

const Names& path_names() {
  static const Names names{
      "path",      "file",     "filename", "file_name", "filepath",   "file_path",  "image_path",
      "imagepath", "img_path", "image",    "img",       "image_file", "image_name", "image_filename",
      "picture",   "photo",    "image_id", "img_id",    "id",         "name"};
  return names;
}
const Names& label_names() {
  static const Names names{"label",   "labels",   "class",      "classes", "class_name", "classname", "target",
                           "targets", "category", "categories", "tag",     "tags",       "species",   "y"};
  return names;
}
const Names& part_names() {
  static const Names names{"split", "set", "subset", "part", "partition", "usage", "phase"};
  return names;
}

const Names& weight_names() {
  static const Names names{"sample_weight", "sample_weights", "instance_weight", "loss_weight"};
  return names;
}

/// "Image Path" and "image-path" are "image_path".
std::string plain_name(const std::string& name) {
  std::string plain = lower_case(name);
  std::replace_if(
      plain.begin(), plain.end(), [](char c) { return c == ' ' || c == '-'; }, '_');
  return plain;
}

size_t column_named(const Names& columns, const Names& wanted) {
  for (const std::string& name : wanted) {
    const auto at = std::find(columns.begin(), columns.end(), name);
    if (at != columns.end()) return static_cast<size_t>(at - columns.begin());
  }
  return kNone;
}

class ColumnFinder {
 public:
  ColumnFinder(const std::string& path, TextTable& table, const PictureFinder& finder, Task task)
      : path_(path), table_(table), finder_(finder), task_(task) {}

  TableColumns run() {
    size_t columns = table_.names.size();
    for (const auto& row : table_.rows) columns = std::max(columns, row.fields.size());
    Names plain;
    if (!table_.names.empty()) {
      columns_.names = table_.names;
    } else if (const auto& first = table_.rows[0].fields; is_header(first)) {
      for (const std::string& name : first) plain.push_back(plain_name(name));
      if (column_named(plain, path_names()) == kNone) {
        if (table_.rows.size() == 1 || column_of_pictures(columns) == kNone)
          not_understood("no column holds pictures' files");
        not_understood("its first row names no column of pictures");
      }
      columns_.names = first;
      table_.rows.erase(table_.rows.begin());
      if (table_.rows.empty()) throw Error(path_ + ": has no rows below its header", "write a picture a line");
    }
    plain.clear();
    for (const std::string& name : columns_.names) plain.push_back(plain_name(name));
    columns_.file = columns_.names.empty() ? column_of_pictures(columns) : column_of_paths(plain);
    if (columns_.file == kNone) not_understood("no column holds pictures' files");
    columns_.part = columns_.names.empty() ? column_of_parts(columns) : column_named(plain, part_names());
    if (columns_.part == kNone && !columns_.names.empty()) find_part(plain);
    columns_.weight = column_of_weights(plain);
    // A header may be shorter than its rows.
    for (size_t c = columns_.names.size(); !columns_.names.empty() && columns_.part == kNone && c < columns; ++c)
      if (holds_parts(c)) columns_.part = c;
    find_labels(columns, plain);
    check_lengths();
    return std::move(columns_);
  }

 private:
  [[noreturn]] void not_understood(const std::string& what) const {
    std::string rows;
    for (size_t i = 0; i < std::min<size_t>(2, table_.rows.size()); ++i)
      rows += (i == 0 ? " \"" : ", \"") + joined(table_.rows[i].fields, ",") + "\"";
    if (!columns_.names.empty() && rows.find(joined(columns_.names, ",")) == std::string::npos)
      rows = " \"" + joined(columns_.names, ",") + "\"," + rows;
    throw Error(path_ + ": " + what + "; it begins with" + rows,
                "name the columns in the first row: " + joined({path_names().begin(), path_names().begin() + 8}, "|") +
                    " and " + joined({label_names().begin(), label_names().begin() + 9}, "|") + ", and split");
  }

  bool is_picture(const std::string& text) const {
    return kind_by_name(text) == FileKind::picture || !finder_.find(text).empty();
  }
  size_t rows_that_decide() const { return std::min(table_.rows.size(), kRowsThatDecide); }

  /// Names of columns rather than a row: none is a picture's. A name that is one of those that are looked for counts,
  /// whatever files lie about.
  bool is_header(const Names& row) const {
    if (std::any_of(row.begin(), row.end(), [](const std::string& f) { return kind_by_name(f) == FileKind::picture; }))
      return false;
    Names plain;
    for (const std::string& name : row) plain.push_back(plain_name(name));
    return column_named(plain, path_names()) != kNone ||
           std::none_of(row.begin(), row.end(), [&](const std::string& f) { return is_picture(f); });
  }

  size_t pictures_in(size_t column) const {
    size_t count = 0;
    for (size_t r = 0; r < rows_that_decide(); ++r) count += is_picture(field(table_.rows[r], column));
    return count;
  }
  /// By name and by what stands in it: an "id" may be a picture's, or a number beside it.
  size_t column_of_paths(const Names& plain) const {
    for (const std::string& name : path_names())
      for (size_t c = 0; c < plain.size(); ++c)
        if (plain[c] == name && 2 * pictures_in(c) > rows_that_decide()) return c;
    const size_t found = column_of_pictures(plain.size());
    return found != kNone ? found : column_named(plain, path_names());  // of files that are not there
  }

  /// A field too many is a comma that was not meant, as in 3,5.
  void check_lengths() const {
    const size_t known = columns_.names.empty() ? table_.rows[0].fields.size() : columns_.names.size();
    const size_t limit = columns_.part == kNone ? known : std::max(known, columns_.part + 1);
    for (const auto& row : table_.rows)
      if (row.fields.size() > limit && std::any_of(row.fields.begin() + static_cast<int64_t>(limit), row.fields.end(),
                                                   [](const std::string& f) { return !f.empty(); }))
        fail_in_row(path_, row,
                    "has " + std::to_string(row.fields.size()) + " fields where there are " + std::to_string(limit) +
                        " columns",
                    "put a field that holds the separator in quotes");
  }

  size_t column_of_pictures(size_t columns) const {
    size_t best = kNone, most = 0;
    for (size_t c = 0; c < columns; ++c)
      if (const size_t count = pictures_in(c); count > most) {
        most = count;
        best = c;
      }
    return best;
  }
  /// The last column whose every field is a part's name, and which is not the only one for labels.
  size_t column_of_parts(size_t columns) const {
    for (size_t c = columns; columns > 2 && c-- > 0;) {
      if (c != columns_.file && holds_parts(c)) return c;
    }
    // As it was always written: the third column, whose unknown names are errors.
    return columns == 3 && columns_.file == 0 && task_ != Task::regression && !holds_numbers(2) ? 2 : kNone;
  }
  /// "weight" is also a label of its own, or what a scale shows: where values are measured, and where it does not hold
  /// a number above 0 in each row.
  size_t column_of_weights(const Names& plain) const {
    if (const size_t named = column_named(plain, weight_names()); named != kNone) return named;
    const size_t perhaps = column_named(plain, {"weight", "weights"});
    if (perhaps == kNone || task_ == Task::regression) return kNone;
    const bool weighs = std::all_of(table_.rows.begin(), table_.rows.end(), [&](const TextTable::Row& row) {
      const auto number = number_in(field(row, perhaps));
      return number && *number > 0;
    });
    return weighs ? perhaps : kNone;
  }
  /// Under another name: a column that holds parts of a set and nothing else, two of them at least, or whether a
  /// picture is one that validates or tests (fastai's is_valid).
  void find_part(const Names& plain) {
    for (size_t c = 0; c < plain.size() && columns_.part == kNone; ++c) {
      const bool is_label = std::find(label_names().begin(), label_names().end(), plain[c]) != label_names().end();
      if (c == columns_.file || is_label || !holds_parts(c)) continue;
      std::set<std::string> parts;
      for (const TextTable::Row& row : table_.rows)
        if (const std::string text = field(row, c); !text.empty()) parts.insert(part_named(text));
      if (parts.size() > 1) columns_.part = c;
    }
    static const std::pair<const char*, const char*> kQuestions[] = {
        {"is_valid", "val"}, {"is_val", "val"}, {"is_validation", "val"}, {"is_test", "test"}, {"is_train", "train"}};
    // Beside columns of yes and no they may be labels, too; two of them say more than one part.
    const auto is_bits = [&](size_t c) { return c != columns_.file && holds_bits(c); };
    size_t bits = 0;
    for (size_t c = 0; c < plain.size(); ++c) bits += is_bits(c);
    for (const auto& [name, part] : kQuestions) {
      if (bits > 1) break;
      const size_t c = column_named(plain, {name});
      if (columns_.part != kNone || c == kNone || !holds_bits(c)) continue;
      columns_.part = c;
      columns_.part_where_true = part;
    }
    columns_.part_is_found = columns_.part != kNone;
  }
  bool holds_parts(size_t column) const {
    bool some = false;
    for (const TextTable::Row& row : table_.rows) {
      const std::string text = field(row, column);
      if (!text.empty() && part_named(text).empty()) return false;
      some = some || !text.empty();
    }
    return some;
  }
  bool holds_numbers(size_t column) const {
    return std::all_of(table_.rows.begin(), table_.rows.end(),
                       [&](const TextTable::Row& row) { return number_in(field(row, column)).has_value(); });
  }
  bool holds_bits(size_t column) const {
    return std::all_of(table_.rows.begin(), table_.rows.end(),
                       [&](const TextTable::Row& row) { return bit_in(field(row, column)).has_value(); });
  }

  /// Rows counted from 0 or 1, as tables are often written: they say nothing of a picture.
  bool counts_rows(size_t column) const {
    const int64_t first = number_of(field(table_.rows[0], column));
    for (size_t r = 0; r < table_.rows.size(); ++r)
      if (number_of(field(table_.rows[r], column)) != first + static_cast<int64_t>(r)) return false;
    return table_.rows.size() > 1 && (first == 0 || first == 1);
  }
  bool is_index(size_t column, const Names& plain) const {
    static const std::set<std::string> names{"", "index", "idx", "id", "row", "unnamed:_0", "no", "nr"};
    return column < plain.size() ? names.contains(plain[column]) : counts_rows(column);
  }

  void find_labels(size_t columns, const Names& plain) {
    Columns others;
    for (size_t c = 0; c < (columns_.names.empty() ? columns : columns_.names.size()); ++c)
      if (c != columns_.file && c != columns_.part && c != columns_.weight) others.push_back(c);
    if (others.size() > 1) {
      std::erase_if(others, [&](size_t c) { return is_index(c, plain); });
    }
    const size_t named = column_named(plain, label_names());
    const auto all = [&](bool (ColumnFinder::*holds)(size_t) const) {
      return others.size() > 1 &&
             std::all_of(others.begin(), others.end(), [&](size_t c) { return (this->*holds)(c); });
    };
    if (named != kNone) {
      columns_.labels = {named};
    } else if (others.empty()) {
      fail_in_row(path_, table_.rows[0], "has no label", "write path,label or path,label,split");
    } else if (others.size() == 1) {
      columns_.labels = {others[0]};
    } else if (const Columns words = without_numbers(others);
               columns_.names.empty() && words.size() == 1 && task_ != Task::regression) {
      columns_.labels = words;
    } else if (task_ == Task::regression && all(&ColumnFinder::holds_numbers)) {
      columns_.labels = others;
    } else if (task_ != Task::regression && all(&ColumnFinder::holds_bits)) {
      columns_.labels = others;
      columns_.one_hot = true;
    } else {
      not_understood("which of its columns holds the labels is not clear");
    }
  }

  Columns without_numbers(const Columns& columns) const {
    Columns words;
    for (const size_t c : columns)
      if (!holds_numbers(c)) words.push_back(c);
    return words;
  }

  const std::string& path_;
  TextTable& table_;
  const PictureFinder& finder_;
  Task task_;
  TableColumns columns_;
};

}  // namespace

std::string joined(const Names& words, const char* between) {
  std::string text;
  for (const std::string& w : words) text += (text.empty() ? "" : between) + w;
  return text;
}

std::optional<float> number_in(const std::string& word) {
  size_t used = 0;
  try {
    const float value = std::stof(word, &used);
    if (used == word.size() && std::isfinite(value)) return value;
  } catch (const std::exception&) {
  }
  return std::nullopt;
}

std::optional<bool> bit_in(const std::string& text) {
  const std::string word = lower_case(text);
  if (word.empty() || word == "0" || word == "0.0" || word == "false" || word == "no") return false;
  if (word == "1" || word == "1.0" || word == "true" || word == "yes") return true;
  return std::nullopt;
}

std::string field(const TextTable::Row& row, size_t column) {
  return column < row.fields.size() ? row.fields[column] : std::string();
}

void fail_in_row(const std::string& path, const TextTable::Row& row, const std::string& what, const std::string& hint) {
  throw Error(path + ", line " + std::to_string(row.line) + ": " + what, hint);
}

TableColumns find_columns(const std::string& path, TextTable& table, const PictureFinder& finder, Task task) {
  return ColumnFinder(path, table, finder, task).run();
}

}  // namespace graft

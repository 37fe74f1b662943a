#include "augment/data/labelled_table.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "augment/data/class_folders.h"
#include "augment/data/file_kinds.h"
#include "augment/data/table.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

constexpr size_t kRowsThatDecide = 50;
constexpr size_t kNone = std::string::npos;
/// Between the parts of a field, and behind those of a JSON list.
constexpr char kListEnds[] = {';', TextTable::kListSeparator, 0};

using Names = std::vector<std::string>;  // the likelier ones first

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

std::string joined(const Names& words, const char* between) {
  std::string text;
  for (const std::string& w : words) text += (text.empty() ? "" : between) + w;
  return text;
}

/// The parts of a list in a field; empty ones left out.
Names listed(const std::string& text, const char* separators) {
  Names parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find_first_of(separators, at), text.size());
    const std::string part = text.substr(at, end - at);
    const size_t first = part.find_first_not_of(" \t"), last = part.find_last_not_of(" \t");
    if (first != std::string::npos) parts.push_back(part.substr(first, last - first + 1));
    at = end + 1;
  }
  return parts;
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

/// What a column for one label says; blank is no.
std::optional<bool> bit_in(const std::string& text) {
  const std::string word = lower_case(text);
  if (word.empty() || word == "0" || word == "0.0" || word == "false" || word == "no") return false;
  if (word == "1" || word == "1.0" || word == "true" || word == "yes") return true;
  return std::nullopt;
}

/// Finds the files that a table names: as they stand, with slashes for backslashes, with a picture's extension behind
/// an id, or in a folder for pictures beside the table.
class FileFinder {
 public:
  explicit FileFinder(const std::string& table) : folder_(fs::path(table).parent_path()) {
    folders_ = {"", "images", "imgs", "pictures", "photos", "data", "train", fs::path(table).stem().string()};
  }
  /// Empty where no such file is there.
  std::string find(std::string name) const {
    std::string found = tried(name, {});
    if (found.empty()) found = tried(name, last_);
    if (!found.empty()) return found;
    for (const bool turned : {false, true}) {
      if (turned && name.find('\\') == std::string::npos) break;
      if (turned) std::replace(name.begin(), name.end(), '\\', '/');
      for (const std::string& folder : folders_)
        for (const char* extension : {"", ".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".webp", ".tif", ".bmp", ".gif"}) {
          const Place place{folder, extension, turned};
          found = tried(name, place);
          if (!found.empty()) {
            last_ = place;
            return found;
          }
        }
    }
    return {};
  }
  /// Where it is named when it cannot be opened.
  std::string expected(std::string name) const {
    if (name.find('/') == std::string::npos) std::replace(name.begin(), name.end(), '\\', '/');
    return (folder_ / name).string();
  }

 private:
  struct Place {
    std::string folder, extension;
    bool turned = false;
  };
  std::string tried(std::string name, const Place& place) const {
    if (name.empty()) return {};
    if (place.turned) std::replace(name.begin(), name.end(), '\\', '/');
    std::error_code code;
    const fs::path path = folder_ / place.folder / (name + place.extension);
    return fs::is_regular_file(path, code) ? path.lexically_normal().string() : std::string();
  }
  fs::path folder_;
  std::vector<std::string> folders_;
  mutable Place last_;  // what served for the row before
};

class LabelledTable {
  using Columns = std::vector<size_t>;

 public:
  LabelledTable(const std::string& path, Task task)
      : path_(path), task_(task), finder_(path), table_(read_text_table(path)) {}

  Dataset read() {
    if (table_.rows.empty()) throw Error(path_ + ": has no rows", "write path,label[,split], a picture a line");
    find_columns();
    find_separators();
    Dataset data;
    if (task_ == Task::regression)
      data.classes = value_names();
    else
      data.classes = labels();
    for (const auto& row : table_.rows) {
      LabelledFile item = item_of(row, data.classes);
      const std::string said = part_ == kNone ? "" : field(row, part_),
                        part = said.empty() ? "train" : part_named(said);
      if (part.empty()) fail(row, "unknown split \"" + said + "\"", "use train, val or test");
      data.is_split = data.is_split || !said.empty();
      if (!is_repeated(item, row, part, data))
        (part == "train" ? data.train : part == "val" ? data.validation : data.test).push_back(std::move(item));
    }
    if (repeated_ > 0)
      data.notes.push_back(path_ + ": " + std::to_string(repeated_) +
                           (repeated_ == 1 ? " row repeats" : " rows repeat") + " a picture that another has");
    tell_columns(data);
    return data;
  }

 private:
  /// A label may hold a comma: other separators are asked for only where no field has the usual one.
  void find_separators() {
    const auto some = [&](const char* ends) {
      return std::any_of(table_.rows.begin(), table_.rows.end(), [&](const TextTable::Row& row) {
        return field(row, labels_[0]).find_first_of(ends) != std::string::npos;
      });
    };
    separators_ = some(kListEnds) ? kListEnds : some("|") ? "|" : ",";
  }

  [[noreturn]] void fail(const TextTable::Row& row, const std::string& what, const std::string& hint) const {
    throw Error(path_ + ", line " + std::to_string(row.line) + ": " + what, hint);
  }
  static std::string field(const TextTable::Row& row, size_t column) {
    return column < row.fields.size() ? row.fields[column] : std::string();
  }
  bool is_picture(const std::string& text) const {
    return kind_by_name(text) == FileKind::picture || !finder_.find(text).empty();
  }
  size_t rows_that_decide() const { return std::min(table_.rows.size(), kRowsThatDecide); }

  [[noreturn]] void not_understood(const std::string& what) const {
    std::string rows;
    for (size_t i = 0; i < std::min<size_t>(2, table_.rows.size()); ++i)
      rows += (i == 0 ? " \"" : ", \"") + joined(table_.rows[i].fields, ",") + "\"";
    if (!names_.empty() && rows.find(joined(names_, ",")) == std::string::npos)
      rows = " \"" + joined(names_, ",") + "\"," + rows;
    throw Error(path_ + ": " + what + "; it begins with" + rows,
                "name the columns in the first row: " + joined({path_names().begin(), path_names().begin() + 8}, "|") +
                    " and " + joined({label_names().begin(), label_names().begin() + 9}, "|") + ", and split");
  }

  void find_columns() {
    size_t columns = table_.names.size();
    for (const auto& row : table_.rows) columns = std::max(columns, row.fields.size());
    Names plain;
    if (!table_.names.empty()) {
      names_ = table_.names;
    } else if (const auto& first = table_.rows[0].fields; is_header(first)) {
      for (const std::string& name : first) plain.push_back(plain_name(name));
      if (column_named(plain, path_names()) == kNone) {
        if (table_.rows.size() == 1 || column_of_pictures(columns) == kNone)
          not_understood("no column holds pictures' files");
        not_understood("its first row names no column of pictures");
      }
      names_ = first;
      table_.rows.erase(table_.rows.begin());
      if (table_.rows.empty()) throw Error(path_ + ": has no rows below its header", "write a picture a line");
    }
    plain.clear();
    for (const std::string& name : names_) plain.push_back(plain_name(name));
    file_ = names_.empty() ? column_of_pictures(columns) : column_of_paths(plain);
    if (file_ == kNone) not_understood("no column holds pictures' files");
    part_ = names_.empty() ? column_of_parts(columns) : column_named(plain, part_names());
    // A header may be shorter than its rows.
    for (size_t c = names_.size(); !names_.empty() && part_ == kNone && c < columns; ++c)
      if (holds_parts(c)) part_ = c;
    find_labels(columns, plain);
    check_lengths();
  }

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

  bool holds_pictures(size_t column) const {
    size_t count = 0;
    for (size_t r = 0; r < rows_that_decide(); ++r) count += is_picture(field(table_.rows[r], column));
    return 2 * count > rows_that_decide();
  }
  /// By name and by what stands in it: an "id" may be a picture's, or a number beside it.
  size_t column_of_paths(const Names& plain) const {
    for (const std::string& name : path_names())
      for (size_t c = 0; c < plain.size(); ++c)
        if (plain[c] == name && holds_pictures(c)) return c;
    const size_t found = column_of_pictures(plain.size());
    return found != kNone ? found : column_named(plain, path_names());  // of files that are not there
  }

  /// A field too many is a comma that was not meant, as in 3,5.
  void check_lengths() const {
    const size_t known = names_.empty() ? table_.rows[0].fields.size() : names_.size();
    const size_t limit = part_ == kNone ? known : std::max(known, part_ + 1);
    for (const auto& row : table_.rows)
      if (row.fields.size() > limit && std::any_of(row.fields.begin() + static_cast<int64_t>(limit), row.fields.end(),
                                                   [](const std::string& f) { return !f.empty(); }))
        fail(row,
             "has " + std::to_string(row.fields.size()) + " fields where there are " + std::to_string(limit) +
                 " columns",
             "put a field that holds the separator in quotes");
  }

  size_t column_of_pictures(size_t columns) const {
    size_t best = kNone, most = 0;
    for (size_t c = 0; c < columns; ++c) {
      size_t count = 0;
      for (size_t r = 0; r < rows_that_decide(); ++r) count += is_picture(field(table_.rows[r], c));
      if (count > most) {
        most = count;
        best = c;
      }
    }
    return best;
  }
  /// The last column whose every field is a part's name, and which is not the only one for labels.
  size_t column_of_parts(size_t columns) const {
    for (size_t c = columns; columns > 2 && c-- > 0;) {
      if (c != file_ && holds_parts(c)) return c;
    }
    // As it was always written: the third column, whose unknown names are errors.
    return columns == 3 && file_ == 0 && task_ != Task::regression && !holds_numbers(2) ? 2 : kNone;
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
    for (size_t c = 0; c < (names_.empty() ? columns : names_.size()); ++c)
      if (c != file_ && c != part_) others.push_back(c);
    if (others.size() > 1) {
      std::erase_if(others, [&](size_t c) { return is_index(c, plain); });
    }
    const size_t named = column_named(plain, label_names());
    const auto all = [&](bool (LabelledTable::*holds)(size_t) const) {
      return others.size() > 1 &&
             std::all_of(others.begin(), others.end(), [&](size_t c) { return (this->*holds)(c); });
    };
    if (named != kNone) {
      labels_ = {named};
    } else if (others.empty()) {
      fail(table_.rows[0], "has no label", "write path,label or path,label,split");
    } else if (others.size() == 1) {
      labels_ = {others[0]};
    } else if (const Columns words = without_numbers(others);
               names_.empty() && words.size() == 1 && task_ != Task::regression) {
      labels_ = words;
    } else if (task_ == Task::regression && all(&LabelledTable::holds_numbers)) {
      labels_ = others;
    } else if (task_ != Task::regression && all(&LabelledTable::holds_bits)) {
      labels_ = others;
      one_hot_ = true;
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

  Names value_names() const {
    Names names;
    if (labels_.size() > 1) {
      for (const size_t c : labels_) names.push_back(names_[c]);
      return names;
    }
    const Names given = names_.empty() ? Names{} : listed(names_[labels_[0]], ";");
    const size_t count = numbers(table_.rows[0]).size();
    for (size_t k = 0; k < count; ++k)
      names.push_back(k < given.size() ? given[k] : count == 1 ? "value" : "value" + std::to_string(k + 1));
    return names;
  }
  std::vector<float> numbers(const TextTable::Row& row) const {
    std::vector<float> values;
    for (const size_t c : labels_)
      for (const std::string& word : listed(field(row, c), kListEnds)) {
        const auto value = number_in(word);
        if (!value) fail(row, "\"" + word + "\" is no number", "write path,value[;value…][,split]");
        values.push_back(*value);
      }
    return values;
  }

  Names labels_of(const TextTable::Row& row) const {
    Names labels;
    if (one_hot_) {
      for (const size_t c : labels_)
        if (*bit_in(field(row, c))) labels.push_back(names_[c]);
    } else if (task_ == Task::multi_label) {
      labels = listed(field(row, labels_[0]), separators_);
    } else if (!field(row, labels_[0]).empty()) {
      labels = {field(row, labels_[0])};
    }
    for (const std::string& label : labels)
      if (!is_utf8(label)) fail(row, "the label \"" + shown(label) + "\" is no UTF-8", "save the table as UTF-8");
    return labels;
  }
  Names labels() const {
    std::set<std::string> all;
    for (const auto& row : table_.rows)
      for (const std::string& label : labels_of(row)) all.insert(label);
    if (one_hot_)
      for (const size_t c : labels_) all.insert(names_[c]);
    Names sorted(all.begin(), all.end());
    sort_naturally(sorted);
    return sorted;
  }

  LabelledFile item_of(const TextTable::Row& row, const Names& classes) {
    const std::string name = field(row, file_);
    if (name.empty()) fail(row, "names no picture", "write path,label");
    const std::string found = finder_.find(name);
    LabelledFile item{found.empty() ? finder_.expected(name) : found, 0};
    if (task_ == Task::regression) {
      item.target = numbers(row);
      if (item.target.size() != classes.size() || item.target.empty())
        fail(row,
             "has " + std::to_string(item.target.size()) + " values where the first has " +
                 std::to_string(classes.size()),
             {});
      return item;
    }
    if (place_of_.empty())
      for (size_t k = 0; k < classes.size(); ++k) place_of_[classes[k]] = k;
    const Names own = labels_of(row);
    if (task_ == Task::multi_label) {
      item.target.assign(classes.size(), 0);
      for (const std::string& label : own) item.target[place_of_.at(label)] = 1;
      return item;
    }
    if (own.empty()) fail(row, "has no label", "write path,label or path,label,split");
    if (own.size() > 1) fail(row, "has " + std::to_string(own.size()) + " labels", "train it with --task multi-label");
    item.label = static_cast<int>(place_of_.at(own[0]));
    return item;
  }

  /// A picture in several rows: the same again is left out, several labels are joined, anything else is an error, since
  /// one copy could train and the other judge.
  bool is_repeated(const LabelledFile& item, const TextTable::Row& row, const std::string& part, Dataset& data) {
    const auto [known, is_new] = rows_of_.try_emplace(item.path, Seen{row.line, part, item.label, item.target, 0});
    if (is_new) {
      const auto& files = part == "train" ? data.train : part == "val" ? data.validation : data.test;
      known->second.at = files.size();
      return false;
    }
    Seen& seen = known->second;
    const std::string before = "the picture of line " + std::to_string(seen.line);
    if (seen.part != part) fail(row, "is " + before + ", which is in " + seen.part, "leave it in one of them");
    if (task_ == Task::multi_label) {
      auto& files = part == "train" ? data.train : part == "val" ? data.validation : data.test;
      for (size_t k = 0; k < item.target.size(); ++k)
        files[seen.at].target[k] = std::max(files[seen.at].target[k], item.target[k]);
    } else if (item.label != seen.label || item.target != seen.target) {
      fail(
          row, "is " + before + " with another " + (task_ == Task::classes ? "label" : "value"),
          task_ == Task::classes ? "leave one of them out, or train with --task multi-label" : "leave one of them out");
    }
    ++repeated_;
    return true;
  }

  /// Which columns were taken where that was a guess, and which are not used.
  void tell_columns(Dataset& data) const {
    if (names_.empty() && file_ + 1 != labels_[0] && file_ != 0)
      data.notes.push_back(path_ + ": labels are taken from column " + std::to_string(labels_[0] + 1));
    if (one_hot_) {
      Names ones;
      for (const size_t c : labels_) ones.push_back(names_[c]);
      data.notes.push_back(path_ + ": labels are the columns " + joined(ones, ", "));
    }
    Names unused;
    for (size_t c = 0; c < names_.size(); ++c)
      if (c != file_ && c != part_ && std::find(labels_.begin(), labels_.end(), c) == labels_.end())
        unused.push_back(names_[c].empty() ? "number " + std::to_string(c + 1) : names_[c]);
    if (!unused.empty())
      data.notes.push_back(path_ + ": of its columns " + joined(unused, ", ") + (unused.size() == 1 ? " is" : " are") +
                           " not used");
  }

  struct Seen {
    size_t line = 0;
    std::string part;
    int label = 0;
    std::vector<float> target;
    size_t at = 0;  // in its part
  };
  std::string path_;
  Task task_;
  FileFinder finder_;
  TextTable table_;
  Names names_;  // of the columns; empty without a header
  size_t file_ = kNone, part_ = kNone;
  Columns labels_;
  bool one_hot_ = false;
  const char* separators_ = kListEnds;   // of several labels in a field
  std::map<std::string, Seen> rows_of_;  // by path
  size_t repeated_ = 0;
  std::map<std::string, size_t> place_of_;  // of a class
};

}  // namespace

Dataset read_labelled_table(const std::string& path, Task task) { return LabelledTable(path, task).read(); }

}  // namespace graft

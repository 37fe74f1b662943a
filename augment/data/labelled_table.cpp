#include "augment/data/labelled_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <map>
#include <set>

#include "augment/data/class_folders.h"
#include "augment/data/file_kinds.h"
#include "augment/data/picture_finder.h"
#include "augment/data/table.h"
#include "augment/data/table_columns.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// Between the parts of a field, and behind those of a JSON list.
constexpr char kListEnds[] = {';', TextTable::kListSeparator, 0};

using Names = std::vector<std::string>;

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

/// "['cat', 'small']", as pandas writes a list; nothing for other texts.
std::optional<Names> python_list(const std::string& text) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return std::nullopt;
  Names parts = listed(text.substr(1, text.size() - 2), ",");
  for (std::string& part : parts) {
    const bool quoted =
        part.size() >= 2 && part.front() == part.back() && (part.front() == '\'' || part.front() == '"');
    if (!quoted) return std::nullopt;
    part = part.substr(1, part.size() - 2);
  }
  return parts;
}

std::string number_text(float number) {
  std::array<char, 32> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr};
}

class LabelledTable {
 public:
  LabelledTable(const std::string& path, Task task)
      : path_(path), task_(task), finder_(path), table_(read_text_table(path)) {}

  Dataset read() {
    if (table_.rows.empty()) throw Error(path_ + ": has no rows", "write path,label[,split], a picture a line");
    columns_ = find_columns(path_, table_, finder_, task_);
    find_separators();
    Dataset data;
    if (task_ == Task::regression)
      data.classes = value_names();
    else
      data.classes = labels();
    for (const auto& row : table_.rows) {
      LabelledFile item = item_of(row, data.classes);
      if (columns_.weight != TableColumns::kNone) item.weight = weight_of(row);
      const std::string said = columns_.part == TableColumns::kNone ? "" : field(row, columns_.part),
                        part = part_of(said);
      if (part.empty()) fail(row, "unknown split \"" + said + "\"", "use train, val or test");
      data.is_split = data.is_split || !said.empty();
      add(std::move(item), row, part == "train" ? data.train : part == "val" ? data.validation : data.test);
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
        return field(row, columns_.labels[0]).find_first_of(ends) != std::string::npos;
      });
    };
    separators_ = some(kListEnds) ? kListEnds : some("|") ? "|" : ",";
  }

  [[noreturn]] void fail(const TextTable::Row& row, const std::string& what, const std::string& hint) const {
    fail_in_row(path_, row, what, hint);
  }

  Names value_names() const {
    Names names;
    if (columns_.labels.size() > 1) {
      for (const size_t c : columns_.labels) names.push_back(columns_.names[c]);
      return names;
    }
    const Names given = columns_.names.empty() ? Names{} : listed(columns_.names[columns_.labels[0]], ";");
    const size_t count = numbers(table_.rows[0]).size();
    for (size_t k = 0; k < count; ++k)
      names.push_back(k < given.size() ? given[k] : count == 1 ? "value" : "value" + std::to_string(k + 1));
    return names;
  }
  std::vector<float> numbers(const TextTable::Row& row) const {
    std::vector<float> values;
    for (const size_t c : columns_.labels)
      for (const std::string& word : listed(field(row, c), kListEnds)) {
        const auto value = number_in(word);
        if (!value) fail(row, "\"" + word + "\" is no number", "write path,value[;value…][,split]");
        values.push_back(*value);
      }
    return values;
  }

  float weight_of(const TextTable::Row& row) {
    const std::string text = field(row, columns_.weight);
    const auto weight = text.empty() ? 1 : number_in(text);
    if (!weight || *weight <= 0)
      fail(row, "the weight \"" + text + "\" is no number above 0", "leave out rows that are not to count");
    least_weight_ = std::min(least_weight_, *weight);
    largest_weight_ = std::max(largest_weight_, *weight);
    return *weight;
  }

  Names labels_of(const TextTable::Row& row) const {
    Names labels;
    if (columns_.one_hot) {
      for (const size_t c : columns_.labels)
        if (*bit_in(field(row, c))) labels.push_back(columns_.names[c]);
    } else if (task_ == Task::multi_label) {
      const std::string text = field(row, columns_.labels[0]);
      labels = python_list(text).value_or(listed(text, separators_));
    } else if (!field(row, columns_.labels[0]).empty()) {
      labels = {field(row, columns_.labels[0])};
    }
    for (const std::string& label : labels)
      if (!is_utf8(label)) fail(row, "the label \"" + shown(label) + "\" is no UTF-8", "save the table as UTF-8");
    return labels;
  }
  Names labels() const {
    std::set<std::string> all;
    for (const auto& row : table_.rows)
      for (const std::string& label : labels_of(row)) all.insert(label);
    if (columns_.one_hot)
      for (const size_t c : columns_.labels) all.insert(columns_.names[c]);
    Names sorted(all.begin(), all.end());
    sort_naturally(sorted);
    return sorted;
  }

  LabelledFile item_of(const TextTable::Row& row, const Names& classes) {
    const std::string name = field(row, columns_.file);
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
  void add(LabelledFile item, const TextTable::Row& row, std::vector<LabelledFile>& part) {
    const auto [known, is_new] = rows_of_.try_emplace(item.path, Seen{row.line, &part, part.size()});
    if (is_new) {
      part.push_back(std::move(item));
      return;
    }
    const std::string before = "is the picture of line " + std::to_string(known->second.line);
    if (known->second.part != &part) fail(row, before + ", which is in another part", "leave it in one of them");
    LabelledFile& first = part[known->second.at];
    if (task_ == Task::multi_label)
      for (size_t k = 0; k < item.target.size(); ++k) first.target[k] = std::max(first.target[k], item.target[k]);
    else if (item.label != first.label || item.target != first.target)
      fail(
          row, before + " with another " + (task_ == Task::classes ? "label" : "value"),
          task_ == Task::classes ? "leave one of them out, or train with --task multi-label" : "leave one of them out");
    if (item.weight != first.weight) fail(row, before + " with another weight", "leave one of them out");
    ++repeated_;
  }

  /// Which columns were taken where that was a guess, and which are not used.
  /// The part that a field says; empty for no part.
  std::string part_of(const std::string& said) const {
    const std::string& where = columns_.part_where_true;
    if (!where.empty()) return bit_in(said).value_or(false) ? where : where == "train" ? "val" : "train";
    return said.empty() ? "train" : part_named(said);
  }

  void tell_columns(Dataset& data) const {
    if (columns_.part_is_found)
      data.notes.push_back(path_ + ": column " + columns_.names[columns_.part] + " says which pictures " +
                           (columns_.part_where_true == "test" ? "test"
                            : columns_.part_where_true.empty() ? "train, validate and test"
                                                               : "train and which validate"));
    if (columns_.names.empty() && columns_.file + 1 != columns_.labels[0] && columns_.file != 0)
      data.notes.push_back(path_ + ": labels are taken from column " + std::to_string(columns_.labels[0] + 1));
    if (columns_.one_hot) {
      Names ones;
      for (const size_t c : columns_.labels) ones.push_back(columns_.names[c]);
      data.notes.push_back(path_ + ": labels are the columns " + joined(ones, ", "));
    }
    if (columns_.weight != TableColumns::kNone)
      data.notes.push_back(path_ + ": in training pictures weigh what column " + columns_.names[columns_.weight] +
                           " says, " + number_text(least_weight_) + " to " + number_text(largest_weight_));
    Names unused;
    for (size_t c = 0; c < columns_.names.size(); ++c)
      if (c != columns_.file && c != columns_.part && c != columns_.weight &&
          std::find(columns_.labels.begin(), columns_.labels.end(), c) == columns_.labels.end())
        unused.push_back(columns_.names[c].empty() ? "number " + std::to_string(c + 1) : columns_.names[c]);
    if (!unused.empty())
      data.notes.push_back(path_ + ": of its columns " + joined(unused, ", ") + (unused.size() == 1 ? " is" : " are") +
                           " not used");
  }

  struct Seen {
    size_t line = 0;
    const std::vector<LabelledFile>* part = nullptr;
    size_t at = 0;  // in its part
  };
  std::string path_;
  Task task_;
  PictureFinder finder_;
  TextTable table_;
  TableColumns columns_;
  const char* separators_ = kListEnds;   // of several labels in a field
  std::map<std::string, Seen> rows_of_;  // by path
  size_t repeated_ = 0;
  float least_weight_ = std::numeric_limits<float>::infinity(), largest_weight_ = 0;
  std::map<std::string, size_t> place_of_;  // of a class
};

}  // namespace

Dataset read_labelled_table(const std::string& path, Task task) { return LabelledTable(path, task).read(); }

}  // namespace graft

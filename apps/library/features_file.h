#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace graft {

/// Rows that are written to a features file; where they stand is their owner's affair.
struct FeatureTable {
  size_t width = 0;
  std::vector<std::string> paths;    // of each row; empty for pictures in memory
  std::vector<int64_t> labels;       // of each row
  std::vector<std::string> classes;  // what labels count
  std::string made_by;               // see FeatureExtractor::made_by; empty where it is not known
  /// Calls its argument with each row, in order.
  std::function<void(const std::function<void(std::span<const float>)>&)> each_row;
};

/// See save_features.
void write_features(const FeatureTable& table, const std::string& path);

/// Throws Error (unsupported) where the file could not hold so many rows.
void check_size(const std::string& path, size_t rows, size_t width);

/// A row of a features file.
struct FeatureRow {
  std::string path, class_name;
  std::span<const float> features;
};
/// Reads what write_features wrote. `made_by` of the file, empty where it does not say; it comes before the first row.
void read_features(const std::string& path, const std::function<void(const std::string& made_by)>& about,
                   const std::function<void(const FeatureRow&)>& use);

/// Of each class name the index among `labels`, if any of them is there, else among all names, sorted; -1 for none.
void number_classes(const std::vector<std::string>& class_names, const std::vector<std::string>& labels,
                    std::vector<int64_t>& numbers, std::vector<std::string>& classes);

}  // namespace graft

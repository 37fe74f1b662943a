#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace graft {

/// Finds the files that a table names: as they stand, with slashes for backslashes, with a picture's extension behind
/// an id, or in a folder for pictures beside the table.
class PictureFinder {
 public:
  explicit PictureFinder(const std::string& table);
  /// Empty where no such file is there.
  std::string find(std::string name) const;
  /// Where it is named when it cannot be opened.
  std::string expected(std::string name) const;

 private:
  struct Place {
    std::string folder, extension;
    bool turned = false;  // backslashes into slashes
  };
  std::string tried(std::string name, const Place& place) const;

  std::filesystem::path folder_;
  std::vector<std::string> folders_;
  mutable Place last_;  // what served for the row before
};

}  // namespace graft

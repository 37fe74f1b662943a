#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace graft::cuda {

/// Which of a library's ways to compute a shape was the fastest: measured once, kept in a file for one GPU, driver and
/// library versions.
class Choices {
 public:
  /// `machine` names GPU, driver and versions. The file lies in $XDG_CACHE_HOME/graft (or ~/.cache/graft); where it
  /// cannot be read or written, choices live as long as the program.
  explicit Choices(std::string machine);
  /// With a folder of its own, for tests.
  Choices(std::string machine, const std::string& folder);

  std::optional<std::string> find(const std::string& shape) const;
  /// `shape` and `way`: no line breaks, no tabs. Written at once.
  void keep(const std::string& shape, const std::string& way);

 private:
  void read();
  void write() const;
  std::string machine_, path_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> ways_;
};

}  // namespace graft::cuda

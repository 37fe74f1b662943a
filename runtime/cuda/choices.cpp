#include "runtime/cuda/choices.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"

namespace graft::cuda {
namespace {

constexpr const char* kFirstLine = "graft's choices, one a line: shape, tab, way";

std::string cache_folder() {
  if (const char* set = std::getenv("XDG_CACHE_HOME"); set && *set) return std::string(set) + "/graft";
  if (const char* home = std::getenv("HOME"); home && *home) return std::string(home) + "/.cache/graft";
  return {};
}

/// A name that any file system takes.
std::string file_name(const std::string& machine) {
  std::string name;
  for (const char c : machine) name += std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' ? c : '_';
  return name + ".choices";
}

}  // namespace

Choices::Choices(std::string machine) : Choices(std::move(machine), cache_folder()) {}

Choices::Choices(std::string machine, const std::string& folder) : machine_(std::move(machine)) {
  if (folder.empty()) return;
  path_ = folder + "/" + file_name(machine_);
  read();
}

void Choices::read() {
  std::ifstream stream(path_);
  std::string line;
  if (!std::getline(stream, line) || line != kFirstLine) return;
  if (!std::getline(stream, line) || line != machine_) return;
  while (std::getline(stream, line))
    if (const auto tab = line.find('\t'); tab != std::string::npos) ways_[line.substr(0, tab)] = line.substr(tab + 1);
}

void Choices::write() const {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  try {
    write_atomically(path_, [this](std::ostream& text) {
      text << kFirstLine << '\n' << machine_ << '\n';
      for (const auto& [shape, way] : ways_) text << shape << '\t' << way << '\n';
    });
  } catch (const Error&) {
    // A cache that cannot be written costs the next start a measurement, no more.
  }
}

std::optional<std::string> Choices::find(const std::string& shape) const {
  const std::lock_guard lock(mutex_);
  const auto at = ways_.find(shape);
  return at == ways_.end() ? std::nullopt : std::optional(at->second);
}

void Choices::keep(const std::string& shape, const std::string& way) {
  const std::lock_guard lock(mutex_);
  ways_[shape] = way;
  write();
}

}  // namespace graft::cuda

#include "apps/file_placing.h"

#include <unistd.h>

#include <filesystem>

#include "runtime/core/error.h"

namespace graft::app {
namespace {

namespace fs = std::filesystem;

/// A label as the name of one folder.
std::string folder_name(std::string label) {
  for (char& c : label)
    if (c == '/' || c == '\0') c = '_';
  if (label.empty() || label == "." || label == "..") label = "_" + label;
  constexpr size_t kLongest = 200;  // bytes; file systems allow 255
  if (label.size() > kLongest) label.resize(kLongest);
  return label;
}

/// The first of NAME, NAME-2, NAME-3, … that is free; `take` says whether it got that one.
template <typename Take>
fs::path first_free(const fs::path& folder, const fs::path& file, const Take& take) {
  for (int i = 1;; ++i) {
    const std::string number = i == 1 ? "" : "-" + std::to_string(i);
    fs::path wanted = folder / (file.stem().string() + number + file.extension().string());
    if (take(wanted)) return wanted;
  }
}

}  // namespace

std::string place_file(const std::string& path, const std::string& folder, const std::string& label, Placing how) {
  const fs::path to = fs::path(folder) / folder_name(label);
  try {
    fs::create_directories(to);
    // A hard link is made under a name that is free, or not at all; across file systems a copy beside comes first.
    const auto link_in = [&](const fs::path& source, const fs::path& name) {
      if (link(source.c_str(), name.c_str()) == 0) return true;
      if (errno == EEXIST) return false;
      throw fs::filesystem_error("cannot be put there", source, name, std::error_code(errno, std::generic_category()));
    };
    if (how == Placing::link)
      return first_free(to, path, [&](const fs::path& name) {
        std::error_code code;
        fs::create_symlink(fs::absolute(path), name, code);
        if (code && code != std::errc::file_exists) throw fs::filesystem_error("cannot be linked", name, code);
        return !code;
      });
    const fs::path beside = to / (".graft-" + std::to_string(getpid()) + ".part");
    fs::copy_file(path, beside, fs::copy_options::overwrite_existing);
    fs::path placed;
    try {
      placed = first_free(to, path, [&](const fs::path& name) { return link_in(beside, name); });
    } catch (...) {
      std::error_code code;
      fs::remove(beside, code);
      throw;
    }
    fs::remove(beside);
    if (how == Placing::move) fs::remove(path);
    return placed.string();
  } catch (const fs::filesystem_error& error) {
    throw Error(path + ": cannot be put into " + to.string() + " (" + error.code().message() + ")",
                "choose a folder you may write to", ErrorCode::io);
  }
}

}  // namespace graft::app

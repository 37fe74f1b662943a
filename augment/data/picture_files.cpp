#include "augment/data/picture_files.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "augment/data/file_kinds.h"
#include "augment/data/shards.h"
#include "augment/data/tar_archive.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    entries.push_back(it->path());
  if (code) throw Error(shown(folder.string()) + ": cannot be listed (" + code.message() + ")", {}, ErrorCode::io);
  std::sort(entries.begin(), entries.end());
  return entries;
}

class Walk {
 public:
  Walk(PictureList& found, std::set<std::string>& visited) : found_(found), visited_(visited) {}
  void enter(const fs::path& folder) {
    if (visited_.insert(true_name(folder.string())).second)
      take_all(folder);
    else
      found_.ignored.push_back(shown(folder.string()) + kReadAlready);
  }
  void take_all(const fs::path& folder) {
    for (const fs::path& entry : sorted_entries(folder)) take(entry);
  }

 private:
  void take(const fs::path& entry) {
    std::error_code code;
    const fs::file_status status = fs::status(entry, code);
    if (kind_by_name(entry.string()) == FileKind::system) {
      found_.ignored.push_back(shown(entry.string()) + ": belongs to the system");
    } else if (fs::is_directory(status)) {
      enter(entry);
    } else if (!fs::exists(status)) {
      found_.skipped.push_back(shown(entry.string()) + ": leads nowhere");
    } else if (!fs::is_regular_file(status)) {
      found_.ignored.push_back(shown(entry.string()) + ": is no file");
    } else if (kind_by_name(entry.string()) == FileKind::unread) {
      found_.skipped.push_back(shown(entry.string()) + ": is a picture of a format that is not read: convert it");
    } else if (is_tar(entry.string())) {
      collect_from_tar(entry.string(), found_);
    } else if (is_picture_file(entry.string())) {
      found_.paths.push_back(entry.string());
    } else {
      found_.ignored.push_back(shown(entry.string()) + ": is no picture");
    }
  }
  PictureList& found_;
  std::set<std::string>& visited_;
};

bool holds_pictures(const fs::path& folder, std::set<std::string>& above) {
  const std::string name = true_name(folder.string());
  if (!above.insert(name).second) return false;
  std::error_code code;
  std::vector<fs::path> folders;
  bool found = false;
  for (fs::directory_iterator it(folder, code), end; !found && !code && it != end; it.increment(code)) {
    std::error_code none;
    if (kind_by_name(it->path().string()) == FileKind::system) continue;
    if (it->is_directory(none))
      folders.push_back(it->path());
    else
      found = it->is_regular_file(none) && is_picture_file(it->path().string());
  }
  for (const fs::path& inside : folders) found = found || holds_pictures(inside, above);
  above.erase(name);
  return found;
}

}  // namespace

std::vector<std::string> folders_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code code;
  for (const fs::path& entry : sorted_entries(folder))
    if (kind_by_name(entry.string()) != FileKind::system && fs::is_directory(entry, code))
      names.push_back(entry.filename().string());
  return names;
}

bool holds_pictures(const std::string& folder) {
  std::set<std::string> above;
  return holds_pictures(fs::path(folder), above);
}

void collect_pictures(const std::string& folder, PictureList& found, std::set<std::string>& visited) {
  Walk(found, visited).enter(folder);
}

void collect_visited(const std::string& folder, PictureList& found, std::set<std::string>& visited) {
  Walk(found, visited).take_all(folder);
}

std::string true_name(const std::string& folder) {
  std::error_code code;
  const fs::path path = fs::canonical(folder, code);
  return code ? folder : path.string();
}

}  // namespace graft

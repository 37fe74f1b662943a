#include "runtime/core/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "runtime/core/error.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

/// An open file that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int file) : file_(file) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (file_ >= 0) close(file_);
  }
  operator int() const { return file_; }

 private:
  int file_;
};

/// Removes what writers of the same file left beside it that were killed: whoever writes holds a lock on its file, and
/// a lock ends with its process.
void remove_abandoned(const std::string& path) {
  const fs::path whole(path);
  const std::string prefix = whole.filename().string() + ".tmp";
  const fs::path folder = whole.has_parent_path() ? whole.parent_path() : fs::path(".");
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, code)) {
    const std::string name = entry.path().filename().string();
    const bool ours = name.starts_with(prefix) && name.size() > prefix.size() &&
                      std::all_of(name.begin() + static_cast<std::ptrdiff_t>(prefix.size()), name.end(),
                                  [](unsigned char c) { return std::isdigit(c) || c == '-'; });
    if (!ours) continue;
    const Descriptor file(open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file >= 0 && flock(file, LOCK_EX | LOCK_NB) == 0) std::remove(entry.path().c_str());
  }
}

/// Creates the file and locks it. Another process may take it for an abandoned one between the two: then it is made
/// anew. Where the file system knows no locks, it is not locked. -1 with errno where it cannot be created.
int create_locked(const std::string& path) {
  for (;;) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) return file;
    struct stat is {};
    if (flock(file, LOCK_EX | LOCK_NB) != 0 || fstat(file, &is) != 0 || is.st_nlink > 0) return file;
    close(file);
  }
}

}  // namespace

void write_atomically(const std::string& path, const std::function<void(std::ostream&)>& write) {
  static std::atomic<unsigned> calls{0};  // two threads may write the same path
  const std::string beside = path + ".tmp" + std::to_string(getpid()) + "-" + std::to_string(calls++);
  const auto fail = [&](const char* what) {
    const int reason = errno;
    std::remove(beside.c_str());
    const char* remedy = reason == ENOSPC                      ? "free some disk space"
                         : reason == EACCES || reason == EROFS ? "choose a folder you may write to"
                                                               : "check the path";
    throw Error(path + ": " + what + " (" + std::strerror(reason) + ")", remedy, ErrorCode::io);
  };
  remove_abandoned(path);
  errno = 0;
  const Descriptor file(create_locked(beside));
  if (file < 0) fail("cannot be created");
  {
    std::ofstream stream(beside, std::ios::binary | std::ios::trunc);
    if (!stream) fail("cannot be created");
    try {
      write(stream);
    } catch (...) {
      stream.close();
      std::remove(beside.c_str());
      throw;
    }
    stream.flush();
    if (!stream) fail("cannot be written");
  }
  // A rename may survive a power cut before the data does; sync first.
  if (fsync(file) != 0) fail("cannot be written");
  if (std::rename(beside.c_str(), path.c_str()) != 0) fail("cannot be replaced");
}

}  // namespace graft

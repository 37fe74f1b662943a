#include "runtime/core/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "runtime/core/error.h"

namespace graft {

void write_atomically(const std::string& path, const std::function<void(std::ostream&)>& write) {
  const std::string beside = path + ".tmp" + std::to_string(getpid());
  const auto fail = [&](const char* what) {
    const int reason = errno;
    std::remove(beside.c_str());
    const char* remedy = reason == ENOSPC                      ? "free some disk space"
                         : reason == EACCES || reason == EROFS ? "choose a folder you may write to"
                                                               : "check the path";
    throw Error(path + ": " + what + " (" + std::strerror(reason) + ")", remedy, ErrorCode::io);
  };
  errno = 0;
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
  const int file = open(beside.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 || fsync(file) != 0) fail("cannot be written");
  close(file);
  if (std::rename(beside.c_str(), path.c_str()) != 0) fail("cannot be replaced");
}

}  // namespace graft

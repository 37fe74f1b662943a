#include "importer/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/core/error.h"

namespace graft {

MappedFile::MappedFile(const std::string& path) {
  file_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) {
    throw Error(std::string("cannot be opened (") + std::strerror(errno) + ")",
                errno == ENOENT ? "check the path" : "check its permissions",
                errno == ENOENT ? ErrorCode::not_found : ErrorCode::io);
  }
  struct stat status {};
  const bool regular = fstat(file_, &status) == 0 && S_ISREG(status.st_mode);
  size_ = regular ? static_cast<size_t>(status.st_size) : 0;
  void* address = size_ > 0 ? mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file_, 0) : nullptr;
  if (!regular || address == MAP_FAILED) {
    const int reason = errno;
    close(file_);
    if (!regular) throw Error("is not a file", "give the path of an ONNX file");
    throw Error(std::string("cannot be mapped (") + std::strerror(reason) + ")", {}, ErrorCode::io);
  }
  data_ = static_cast<const char*>(address);
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<char*>(data_), size_);
  close(file_);
}

void MappedFile::read(size_t offset, void* to, size_t bytes) const {
  auto* next = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t got = pread(file_, next, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Error("cannot be read", "the file became shorter meanwhile");
    next += got;
    offset += static_cast<size_t>(got);
    bytes -= static_cast<size_t>(got);
  }
}

}  // namespace graft

#pragma once

#include <cstddef>
#include <string>

namespace graft {

/// A file mapped read-only into memory for as long as the object lives. Throws Error when it cannot be.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  const char* data() const { return data_; }
  size_t size() const { return size_; }
  /// Copies a part of the file without touching the mapping, whose pages would count as this process's memory.
  void read(size_t offset, void* to, size_t bytes) const;

 private:
  int file_ = -1;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace graft

#pragma once

#include <cstdint>
#include <fstream>
#include <functional>
#include <iosfwd>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/tensor.h"

namespace graft {

/// Writes an .npz archive (stored, not compressed; up to 4 GiB), an array at a time.
class NpzWriter {
 public:
  static constexpr uint64_t kMostBytes = 0xfffffffe;  // of all arrays
  /// `stream` can seek and outlives it; `path` stands in errors.
  NpzWriter(std::ostream& stream, std::string path);
  void add(const std::string& name, const Tensor& values);
  /// As an array of unicode strings.
  void add(const std::string& name, const std::vector<std::string>& texts);
  /// float32 values of a shape, in order and in as many pieces as `fill` likes.
  using Values = std::function<void(std::span<const float>)>;
  void add(const std::string& name, const Shape& shape, const std::function<void(const Values&)>& fill);
  /// Writes the archive's directory.
  void finish();

 private:
  /// An entry of `header` and `bytes` more, which `fill` writes by write().
  void add_entry(const std::string& name, const std::string& header, uint64_t bytes, const std::function<void()>& fill);
  void write(const void* data, size_t bytes);

  std::ostream& stream_;
  std::string path_, directory_;
  uint64_t offset_ = 0, entries_ = 0, written_ = 0;
  uint32_t checksum_ = 0;
};

void write_npz(const std::string& path, const std::vector<std::pair<std::string, const Tensor*>>& arrays,
               const std::vector<std::pair<std::string, std::vector<std::string>>>& texts);

/// Reads archives that NpzWriter wrote. Throws Error for others.
class NpzReader {
 public:
  explicit NpzReader(const std::string& path);
  bool has(const std::string& name) const { return entries_.contains(name); }
  std::vector<std::string> texts(const std::string& name);
  Tensor tensor(const std::string& name);
  Shape shape(const std::string& name);
  /// A float32 array's rows, one after the other.
  void rows(const std::string& name, const std::function<void(std::span<const float>)>& use);

 private:
  struct Entry {
    uint64_t begin = 0, bytes = 0;
  };
  const Entry& at(const std::string& name);
  std::string path_;
  std::ifstream stream_;
  std::map<std::string, Entry> entries_;
};

}  // namespace graft

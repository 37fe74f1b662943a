#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace graft {

/// A file in a tar archive.
struct TarEntry {
  std::string name;
  uint64_t offset = 0, size = 0;  // of its bytes, in the archive
};

bool is_tar(const std::string& path);

/// The regular files of an archive, in order: POSIX ustar, names as pax and GNU tar lengthen them. Throws Error, naming
/// the archive, for what is none and for one that ends early.
std::vector<TarEntry> list_tar(const std::string& path);

/// ARCHIVE.tar/NAME as its parts, where ARCHIVE.tar is a file.
struct TarPath {
  std::string archive, name;
};
std::optional<TarPath> path_in_tar(const std::string& path);

/// The bytes of a file that list_tar() found. Throws Error without a name.
std::vector<uint8_t> read_from_tar(const std::string& archive, const TarEntry& entry);
/// The bytes of a file in an archive by its name; of several with one name the last. Archives are listed once. Safe to
/// call from several threads. Throws Error.
std::vector<uint8_t> read_from_tar(const TarPath& path);

}  // namespace graft

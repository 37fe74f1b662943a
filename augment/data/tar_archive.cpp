#include "augment/data/tar_archive.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "augment/data/file_kinds.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kBlock = 512;
constexpr uint64_t kLargestFile = uint64_t{1} << 30;
constexpr uint64_t kLongestName = 1 << 20;  // of a pax header or a GNU name

/// A header's field. [POSIX.1-2017, pax, "ustar Interchange Format"]
std::string_view field(const std::array<char, kBlock>& header, size_t offset, size_t size) {
  const std::string_view text(header.data() + offset, size);
  return text.substr(0, std::min(text.find('\0'), size));
}

/// An octal number, or a binary one as GNU tar writes large ones.
std::optional<uint64_t> number(const std::array<char, kBlock>& header, size_t offset, size_t size) {
  if (static_cast<unsigned char>(header[offset]) == 0x80) {
    uint64_t value = 0;
    for (size_t i = 1; i < size; ++i) {
      if (value >> 56 != 0) return {};
      value = value << 8 | static_cast<unsigned char>(header[offset + i]);
    }
    return value;
  }
  uint64_t value = 0;
  for (const char c : field(header, offset, size)) {
    if (c == ' ') continue;
    if (c < '0' || c > '7' || value >> 60 != 0) return {};
    value = value << 3 | static_cast<uint64_t>(c - '0');
  }
  return value;
}

bool has_checksum(const std::array<char, kBlock>& header) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
  return number(header, 148, 8) == sum;
}

/// `path` and `size` of a pax header: lines of LENGTH KEY=VALUE.
void read_pax(const std::string& text, std::string& name, uint64_t& size) {
  for (size_t at = 0; at < text.size();) {
    const size_t blank = text.find(' ', at);
    if (blank == std::string::npos) return;
    const uint64_t length = std::strtoull(text.c_str() + at, nullptr, 10);
    if (length < 5 || length > text.size() - at) return;
    const std::string line = text.substr(blank + 1, at + length - blank - 2);
    if (line.starts_with("path=")) name = line.substr(5);
    if (line.starts_with("size=")) size = std::strtoull(line.c_str() + 5, nullptr, 10);
    at += length;
  }
}

struct Index {
  fs::file_time_type written;
  std::unordered_map<std::string, TarEntry> files;
};

/// Of an archive as it is now; made once.
std::shared_ptr<const Index> index_of(const std::string& archive) {
  static std::mutex mutex;
  static std::unordered_map<std::string, std::shared_ptr<const Index>> known;
  std::error_code code;
  const fs::file_time_type written = fs::last_write_time(archive, code);
  const std::lock_guard lock(mutex);
  std::shared_ptr<const Index>& index = known[archive];
  if (!index || index->written != written) {
    auto made = std::make_shared<Index>();
    made->written = written;
    for (TarEntry& entry : list_tar(archive)) made->files[entry.name] = std::move(entry);
    index = std::move(made);
  }
  return index;
}

}  // namespace

bool is_tar(const std::string& path) { return lower_case(path).ends_with(".tar"); }

std::vector<TarEntry> list_tar(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::error_code code;
  const uint64_t all = fs::file_size(path, code);
  if (!stream || code) throw Error(shown(path) + ": cannot be opened", {}, ErrorCode::not_found);
  const auto damaged = [&](uint64_t at, const char* what) {
    return Error(shown(path) + ": " + what + " at byte " + std::to_string(at), "make the archive again",
                 ErrorCode::bad_data);
  };
  std::vector<TarEntry> entries;
  std::string long_name;     // of the entry that follows
  uint64_t larger_size = 0;  // than the header holds; 0: as that says
  for (uint64_t at = 0; at < all;) {
    std::array<char, kBlock> header{};
    stream.seekg(static_cast<std::streamoff>(at));
    if (!stream.read(header.data(), kBlock)) throw damaged(at, "the archive ends within a header");
    if (std::all_of(header.begin(), header.end(), [](char c) { return c == 0; })) break;
    if (!has_checksum(header)) throw damaged(at, at == 0 ? "is no tar archive" : "is damaged");
    const char type = header[156];
    const bool describes = type == 'x' || type == 'g' || type == 'L' || type == 'K';
    const auto written = number(header, 124, 12);
    if (!written) throw damaged(at, "has no size");
    const uint64_t size = !describes && larger_size > 0 ? larger_size : *written;
    at += kBlock;
    if (size > all - at) throw damaged(at, "the archive ends within a file");
    if (describes) {
      if (size > kLongestName) throw damaged(at, "has a name of over a megabyte");
      std::string text(size, '\0');
      stream.read(text.data(), static_cast<std::streamsize>(size));
      if (type == 'L') long_name = text.c_str();
      if (type == 'x') read_pax(text, long_name, larger_size);
    } else {
      std::string name(field(header, 0, 100));
      const std::string_view prefix = field(header, 345, 155);
      if (field(header, 257, 5) == "ustar" && header[262] == '\0' && !prefix.empty())
        name = std::string(prefix) + "/" + name;
      if (!long_name.empty()) name = long_name;
      if (name.starts_with("./")) name.erase(0, 2);
      if (type == '0' || type == '\0' || type == '7') entries.push_back({name, at, size});
      long_name.clear();
      larger_size = 0;
    }
    at += (size + kBlock - 1) / kBlock * kBlock;
  }
  return entries;
}

std::optional<TarPath> path_in_tar(const std::string& path) {
  const std::string small = lower_case(path);
  for (size_t at = small.find(".tar/"); at != std::string::npos; at = small.find(".tar/", at + 1)) {
    std::error_code code;
    const std::string archive = path.substr(0, at + 4);
    if (fs::is_regular_file(archive, code)) return TarPath{archive, path.substr(at + 5)};
  }
  return {};
}

std::vector<uint8_t> read_from_tar(const std::string& archive, const TarEntry& entry) {
  if (entry.size == 0) throw Error("is empty");
  if (entry.size > kLargestFile) throw Error("is larger than 1 GiB");
  std::vector<uint8_t> bytes(entry.size);
  std::ifstream stream(archive, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(entry.offset));
  if (!stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())))
    throw Error("cannot be read", {}, ErrorCode::io);
  return bytes;
}

std::vector<uint8_t> read_from_tar(const TarPath& path) {
  const std::shared_ptr<const Index> index = index_of(path.archive);
  const auto entry = index->files.find(path.name);
  if (entry == index->files.end()) throw Error("is not in the archive", {}, ErrorCode::not_found);
  return read_from_tar(path.archive, entry->second);
}

}  // namespace graft

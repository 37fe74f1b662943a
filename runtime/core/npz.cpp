#include "runtime/core/npz.h"

#include <array>
#include <cstring>
#include <limits>

#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"
#include "runtime/core/npy_header.h"

namespace graft {
namespace {

// PKWARE's APPNOTE 4.3.7: a local header is 30 bytes and the name.
constexpr size_t kLocalHeader = 30, kChecksumAt = 14, kEndRecord = 22;
constexpr std::string_view kLocalMark("PK\x03\x04", 4), kCentralMark("PK\x01\x02", 4), kEndMark("PK\x05\x06", 4);

uint32_t crc32(uint32_t sum, const void* data, size_t bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  uint32_t c = ~sum;
  const auto* p = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i < bytes; ++i) c = table[(c ^ p[i]) & 0xff] ^ (c >> 8);
  return ~c;
}

void put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

uint64_t number_at(const std::string& data, size_t at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(data[at + i]);
  return value;
}

std::u32string wide(const std::string& s) {
  std::u32string w;
  for (size_t i = 0; i < s.size();) {  // UTF-8; a byte that is none becomes U+DC80 to U+DCFF, as Python has them
    const auto c = static_cast<unsigned char>(s[i]);
    const size_t n = c < 0x80 ? 1 : (c >> 5) == 6 ? 2 : (c >> 4) == 14 ? 3 : (c >> 3) == 30 ? 4 : 0;
    if (n == 0 || i + n > s.size()) {
      w += static_cast<char32_t>(0xdc00 + c);
      ++i;
      continue;
    }
    bool whole = true;
    for (size_t k = 1; k < n; ++k) whole = whole && (static_cast<unsigned char>(s[i + k]) & 0xc0) == 0x80;
    if (!whole) {
      w += static_cast<char32_t>(0xdc00 + c);
      ++i;
      continue;
    }
    char32_t v = n == 1 ? c : c & (0xff >> (n + 1));
    for (size_t k = 1; k < n; ++k) v = (v << 6) | (static_cast<unsigned char>(s[i + k]) & 0x3f);
    w += v;
    i += n;
  }
  return w;
}

std::string narrow(const char32_t* text, size_t length) {
  std::string s;
  for (size_t i = 0; i < length && text[i] != 0; ++i) {
    const char32_t v = text[i];
    const auto tail = [&](int shift) { s += static_cast<char>(0x80 | (v >> shift & 0x3f)); };
    if (v < 0x80 || (v >= 0xdc80 && v <= 0xdcff)) {
      s += static_cast<char>(v & 0xff);
    } else if (v < 0x800) {
      s += static_cast<char>(0xc0 | v >> 6);
      tail(0);
    } else if (v < 0x10000) {
      s += static_cast<char>(0xe0 | v >> 12);
      tail(6);
      tail(0);
    } else {
      s += static_cast<char>(0xf0 | (v >> 18 & 7));
      tail(12);
      tail(6);
      tail(0);
    }
  }
  return s;
}

}  // namespace

NpzWriter::NpzWriter(std::ostream& stream, std::string path) : stream_(stream), path_(std::move(path)) {}

void NpzWriter::write(const void* data, size_t bytes) {
  checksum_ = crc32(checksum_, data, bytes);
  written_ += bytes;
  stream_.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
}

void NpzWriter::add_entry(const std::string& array_name, const std::string& header, uint64_t bytes,
                          const std::function<void()>& fill) {
  const uint64_t size = header.size() + bytes;
  const std::string name = array_name + ".npy";
  if (size > kMostBytes || offset_ + size > kMostBytes)
    throw Error(path_ + ": the arrays exceed 4 GiB", "write .npy instead", ErrorCode::unsupported);
  // Version, flags, method, time, date (1980-01-01), checksum, sizes, lengths of the name and of what is extra.
  const auto common = [&](uint32_t checksum) {
    std::string text;
    put(text, 20, 2);
    put(text, 0, 6);
    put(text, 0x21, 2);
    put(text, checksum, 4);
    put(text, size, 4);
    put(text, size, 4);
    put(text, name.size(), 2);
    put(text, 0, 2);
    return text;
  };
  stream_ << kLocalMark << common(0) << name;
  checksum_ = 0;
  written_ = 0;
  write(header.data(), header.size());
  fill();
  if (written_ != size)
    throw Error("the array " + array_name + " has another size than was said", {}, ErrorCode::internal);
  const auto end = stream_.tellp();
  std::string checksum;
  put(checksum, checksum_, 4);
  stream_.seekp(static_cast<std::streamoff>(offset_ + kChecksumAt));
  stream_ << checksum;
  stream_.seekp(end);
  directory_ += kCentralMark;
  put(directory_, 20, 2);
  directory_ += common(checksum_);
  directory_.append(10, '\0');  // nothing extra, no comment, disk 0, no attributes
  put(directory_, offset_, 4);
  directory_ += name;
  offset_ += kLocalHeader + name.size() + size;
  ++entries_;
}

void NpzWriter::add(const std::string& name, const Tensor& values) {
  add_entry(name, npy_header(values.dtype(), values.shape()), values.bytes(),
            [&] { write(values.raw(), values.bytes()); });
}

void NpzWriter::add(const std::string& name, const Shape& shape, const std::function<void(const Values&)>& fill) {
  add_entry(name, npy_header(DType::f32, shape), static_cast<uint64_t>(shape.elements()) * sizeof(float),
            [&] { fill([&](std::span<const float> values) { write(values.data(), values.size_bytes()); }); });
}

void NpzWriter::add(const std::string& name, const std::vector<std::string>& texts) {
  size_t longest = 1;
  for (const std::string& text : texts) longest = std::max(longest, wide(text).size());
  add_entry(name, npy_header("<U" + std::to_string(longest), {static_cast<int64_t>(texts.size())}),
            texts.size() * longest * sizeof(char32_t), [&] {
              for (const std::string& text : texts) {
                std::u32string padded = wide(text);
                padded.resize(longest, U'\0');
                write(padded.data(), longest * sizeof(char32_t));
              }
            });
}

void NpzWriter::finish() {
  std::string end(kEndMark);
  put(end, 0, 4);
  put(end, entries_, 2);
  put(end, entries_, 2);
  put(end, directory_.size(), 4);
  put(end, offset_, 4);
  put(end, 0, 2);
  stream_ << directory_ << end;
}

void write_npz(const std::string& path, const std::vector<std::pair<std::string, const Tensor*>>& arrays,
               const std::vector<std::pair<std::string, std::vector<std::string>>>& texts) {
  write_atomically(path, [&](std::ostream& stream) {
    NpzWriter writer(stream, path);
    for (const auto& [name, tensor] : arrays) writer.add(name, *tensor);
    for (const auto& [name, list] : texts) writer.add(name, list);
    writer.finish();
  });
}

NpzReader::NpzReader(const std::string& path) : path_(path), stream_(path, std::ios::binary) {
  if (!stream_) throw Error(path + ": cannot be opened", "check the path", ErrorCode::not_found);
  const auto fail = [&](const std::string& what) {
    return Error(path + ": " + what, "extract it anew", ErrorCode::corrupt_file);
  };
  uint64_t at = 0;
  for (std::string header(kLocalHeader, '\0');; stream_.seekg(static_cast<std::streamoff>(at))) {
    if (!stream_.read(header.data(), kLocalHeader - 8) || header.compare(0, 4, kLocalMark) != 0) break;
    if (!stream_.read(header.data() + kLocalHeader - 8, 8)) throw fail("is truncated");
    if (number_at(header, 6, 2) != 0 || number_at(header, 8, 2) != 0 || number_at(header, 28, 2) != 0)
      throw fail("is not an archive that graft wrote");
    const uint64_t size = number_at(header, 22, 4), name_size = number_at(header, 26, 2);
    std::string name(name_size, '\0');
    if (!stream_.read(name.data(), static_cast<std::streamsize>(name_size))) throw fail("is truncated");
    at += kLocalHeader + name_size;
    if (name.ends_with(".npy")) name.resize(name_size - 4);
    entries_[name] = {at, size};
    at += size;
  }
  stream_.clear();
  stream_.seekg(0, std::ios::end);
  if (entries_.empty()) throw fail("is no .npz archive");
  const auto size = static_cast<uint64_t>(stream_.tellg());
  std::string end(kEndMark.size(), '\0');
  if (size >= at + kEndRecord) {
    stream_.seekg(static_cast<std::streamoff>(size - kEndRecord));
    stream_.read(end.data(), static_cast<std::streamsize>(end.size()));
  }
  if (end != kEndMark) throw fail("is truncated");
}

const NpzReader::Entry& NpzReader::at(const std::string& name) {
  const auto entry = entries_.find(name);
  if (entry == entries_.end())
    throw Error(path_ + ": has no array \"" + name + "\"", "extract it anew", ErrorCode::corrupt_file);
  stream_.clear();
  stream_.seekg(static_cast<std::streamoff>(entry->second.begin));
  return entry->second;
}

Shape NpzReader::shape(const std::string& name) {
  at(name);
  return with_place([&] { return path_; }, [&] { return read_npy_header(stream_).shape; });
}

Tensor NpzReader::tensor(const std::string& name) {
  const Entry& entry = at(name);
  return with_place([&] { return path_; },
                    [&] {
                      const NpyHeader header = read_npy_header(stream_);
                      const uint64_t there = entry.begin + entry.bytes - static_cast<uint64_t>(stream_.tellg());
                      if (static_cast<uint64_t>(header.shape.elements()) * size_of(header.dtype) != there)
                        throw Error("the array " + name + " is damaged", {}, ErrorCode::corrupt_file);
                      Tensor values(header.dtype, header.shape);
                      stream_.read(static_cast<char*>(values.raw()), static_cast<std::streamsize>(values.bytes()));
                      return header.dtype == DType::f16 ? cast(values, DType::f32) : std::move(values);
                    });
}

void NpzReader::rows(const std::string& name, const std::function<void(std::span<const float>)>& use) {
  const Entry& entry = at(name);
  const NpyHeader header = with_place([&] { return path_; }, [&] { return read_npy_header(stream_); });
  const uint64_t there = entry.begin + entry.bytes - static_cast<uint64_t>(stream_.tellg());
  if (header.dtype != DType::f32 || header.shape.rank() != 2 || header.shape[1] < 1 ||
      static_cast<uint64_t>(header.shape.elements()) * sizeof(float) != there)
    throw Error(path_ + ": the array " + name + " is no table of float32", {}, ErrorCode::corrupt_file);
  std::vector<float> row(static_cast<size_t>(header.shape[1]));
  for (int64_t i = 0; i < header.shape[0]; ++i) {
    if (!stream_.read(reinterpret_cast<char*>(row.data()), static_cast<std::streamsize>(row.size() * sizeof(float))))
      throw Error(path_ + ": is truncated", {}, ErrorCode::corrupt_file);
    use(row);
  }
}

std::vector<std::string> NpzReader::texts(const std::string& name) {
  const Entry& entry = at(name);
  const auto fail = [&] {
    return Error(path_ + ": the array " + name + " is no list of texts", {}, ErrorCode::corrupt_file);
  };
  std::string data(entry.bytes, '\0');
  stream_.read(data.data(), static_cast<std::streamsize>(data.size()));
  const size_t code = data.find("'<U"), dims = data.find("'shape': (");
  if (data.size() < 10 || code == std::string::npos || dims == std::string::npos) throw fail();
  const size_t begin = 10 + number_at(data, 8, 2);
  const size_t length = std::strtoull(data.c_str() + code + 3, nullptr, 10),
               count = std::strtoull(data.c_str() + dims + 10, nullptr, 10);
  if (length == 0 || begin > data.size() || (data.size() - begin) / sizeof(char32_t) / length != count) throw fail();
  std::vector<std::string> texts;
  std::u32string wide_text(length, U'\0');
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(wide_text.data(), data.data() + begin + i * length * sizeof(char32_t), length * sizeof(char32_t));
    texts.push_back(narrow(wide_text.data(), length));
  }
  return texts;
}

}  // namespace graft

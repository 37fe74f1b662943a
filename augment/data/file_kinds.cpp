#include "augment/data/file_kinds.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <set>

#include "augment/codecs/codec.h"

namespace graft {
namespace {

/// Enough for every codec to recognise its own.
constexpr size_t kFirstBytes = 256;
constexpr size_t kMostDigits = 18;

std::string extension_of(const std::string& name) {
  const size_t slash = name.find_last_of('/'), dot = name.find_last_of('.');
  if (dot == std::string::npos || (slash != std::string::npos && dot < slash)) return {};
  return lower_case(name.substr(dot + 1));
}

}  // namespace

FileKind kind_by_name(const std::string& path) {
  static const std::set<std::string> pictures{"jpg",  "jpeg", "jpe",  "jfif", "png", "apng", "bmp",
                                              "dib",  "tif",  "tiff", "webp", "gif", "heic", "heif",
                                              "avif", "ppm",  "pgm",  "pbm",  "pnm"};
  static const std::set<std::string> others{
      "txt", "json", "jsonl", "xml", "csv", "tsv",  "md",  "yaml", "yml", "html", "htm", "pdf",   "log", "npy",
      "npz", "pkl",  "pt",    "pth", "h5",  "onnx", "bin", "py",   "sh",  "ini",  "zip", "tar",   "gz",  "7z",
      "rar", "mp4",  "mov",   "avi", "mkv", "mp3",  "wav", "aae",  "xmp", "svg",  "db",  "sqlite"};
  static const std::set<std::string> unread{"jp2", "j2k", "jpx", "jxl", "jxr", "tga", "ico", "dds",
                                            "pam", "pfm", "psd", "exr", "hdr", "pcx", "xcf"};
  static const std::set<std::string> left_behind{"__macosx",    "@eadir",       "thumbs.db",
                                                 "desktop.ini", "$recycle.bin", "system volume information",
                                                 "lost+found",  "__pycache__",  "ehthumbs.db"};
  const std::string name = path.substr(path.find_last_of('/') + 1);
  if (name.starts_with('.') || left_behind.contains(lower_case(name))) return FileKind::system;
  const std::string extension = extension_of(name);
  if (pictures.contains(extension)) return FileKind::picture;
  if (unread.contains(extension)) return FileKind::unread;
  return others.contains(extension) ? FileKind::other : FileKind::unknown;
}

bool is_picture_file(const std::string& path) {
  const FileKind kind = kind_by_name(path);
  if (kind != FileKind::unknown) return kind == FileKind::picture;
  std::array<char, kFirstBytes> first{};
  std::ifstream stream(path, std::ios::binary);
  stream.read(first.data(), first.size());
  return codec_of({reinterpret_cast<const uint8_t*>(first.data()), static_cast<size_t>(stream.gcount())}) != nullptr;
}

int64_t number_of(const std::string& name) {
  if (name.empty() || name.size() > kMostDigits ||
      !std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return -1;
  int64_t number = -1;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

void sort_naturally(std::vector<std::string>& names) {
  std::sort(names.begin(), names.end());
  if (std::all_of(names.begin(), names.end(), [](const std::string& n) { return number_of(n) >= 0; }))
    std::stable_sort(names.begin(), names.end(),
                     [](const std::string& a, const std::string& b) { return number_of(a) < number_of(b); });
}

bool is_utf8(const std::string& text) {
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const size_t length = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
    if (length == 0 || i + length > text.size() || (length == 2 && c < 0xc2)) return false;
    // Neither overlong forms, nor surrogates, nor what is beyond Unicode. [RFC 3629]
    const unsigned char next = length > 1 ? static_cast<unsigned char>(text[i + 1]) : 0;
    if ((c == 0xe0 && next < 0xa0) || (c == 0xed && next > 0x9f) || (c == 0xf0 && next < 0x90) ||
        (c == 0xf4 && next > 0x8f) || c > 0xf4)
      return false;
    for (size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    i += length;
  }
  return true;
}

std::string shown(const std::string& name) {
  if (is_utf8(name)) return name;
  std::string text;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
      continue;
    }
    char escaped[5];
    std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
    text += escaped;
  }
  return text;
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

}  // namespace graft

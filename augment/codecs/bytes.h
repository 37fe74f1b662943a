#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace graft {

/// A number of `n` bytes, at most 4, the most significant first. The caller sees that they are there.
inline uint32_t big_endian(std::span<const uint8_t> bytes, size_t at, size_t n) {
  uint32_t v = 0;
  for (size_t i = 0; i < n; ++i) v = v << 8 | bytes[at + i];
  return v;
}

/// The same, the least significant first.
inline uint32_t little_endian(std::span<const uint8_t> bytes, size_t at, size_t n) {
  uint32_t v = 0;
  for (size_t i = n; i-- > 0;) v = v << 8 | bytes[at + i];
  return v;
}

inline bool has_text_at(std::span<const uint8_t> bytes, size_t at, std::string_view text) {
  return bytes.size() >= at + text.size() && std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
}

}  // namespace graft

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace graft {

/// 128 bits that stand for contents: equal contents have equal keys, and others do not have them by chance. No defence
/// against contents that somebody made to collide.
struct ContentKey {
  uint64_t low = 0, high = 0;
  friend bool operator==(const ContentKey&, const ContentKey&) = default;
  /// 32 hexadecimal digits.
  std::string text() const;
};

/// The key of everything that is added, in this order (XXH3).
class ContentHasher {
 public:
  ContentHasher();
  ~ContentHasher();
  ContentHasher(const ContentHasher&) = delete;
  ContentHasher& operator=(const ContentHasher&) = delete;

  /// Bytes alone: two of these in a row are one.
  ContentHasher& bytes(const void* data, size_t size);
  /// With its length.
  ContentHasher& add(std::string_view text);
  template <typename T>
  requires std::is_arithmetic_v<T> ContentHasher& add(T number) { return bytes(&number, sizeof number); }
  ContentHasher& add(const ContentKey& key) { return add(key.low).add(key.high); }
  ContentKey key() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// 64 bits of the same hash.
uint64_t checksum(const void* data, size_t size);

}  // namespace graft

#define XXH_INLINE_ALL
#include "runtime/core/content_key.h"

#include <xxhash.h>

#include <cstdio>
#include <new>

namespace graft {

struct ContentHasher::State {
  XXH3_state_t xxh;
};

ContentHasher::ContentHasher() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh); }
ContentHasher::~ContentHasher() = default;

ContentHasher& ContentHasher::bytes(const void* data, size_t size) {
  if (size > 0) XXH3_128bits_update(&state_->xxh, data, size);
  return *this;
}

ContentHasher& ContentHasher::add(std::string_view text) { return add(text.size()).bytes(text.data(), text.size()); }

ContentKey ContentHasher::key() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh);
  return {hash.low64, hash.high64};
}

std::string ContentKey::text() const {
  char digits[33];
  std::snprintf(digits, sizeof digits, "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return digits;
}

uint64_t checksum(const void* data, size_t size) { return XXH3_64bits(data, size); }

}  // namespace graft

#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>
#include <string_view>

#include "runtime/core/backend.h"

namespace graft::cuda {

/// Copies text to a buffer of `bytes` bytes: cut where it is too long, and ended with 0.
inline void write_text(std::string_view text, char* to, size_t bytes) noexcept {
  if (bytes == 0) return;
  const size_t count = std::min(text.size(), bytes - 1);
  std::copy_n(text.data(), count, to);
  to[count] = 0;
}

/// What make() returns (a unique_ptr to a Backend), released from its owner. Null where make() throws, with the reason
/// in `message`: exceptions do not leave a plugin.
template <typename Make>
Backend* open_backend(const Make& make, char* message, size_t message_bytes) noexcept {
  try {
    return make().release();
  } catch (const std::exception& error) {
    write_text(error.what(), message, message_bytes);
  } catch (...) {
    write_text("unknown failure", message, message_bytes);
  }
  return nullptr;
}

}  // namespace graft::cuda

#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "augment/decode.h"
#include "augment/pixels/image.h"

namespace graft {

/// Decoded pictures that stay in memory for the next time they are wanted, up to a number of bytes. Thread-safe.
class DecodedPictures {
 public:
  explicit DecodedPictures(uint64_t most_bytes) : most_bytes_(most_bytes) {}
  DecodedPictures(const DecodedPictures&) = delete;
  DecodedPictures& operator=(const DecodedPictures&) = delete;

  /// A picture that is kept, decoded with these options; null for any other.
  std::shared_ptr<const Image> find(const std::string& path, const DecodeOptions& options) const;
  /// Whether no picture has been refused yet.
  bool has_room() const;
  /// Keeps a picture, if it fits, and returns it.
  std::shared_ptr<const Image> keep(const std::string& path, const DecodeOptions& options, Image image);

  struct Use {
    size_t pictures = 0;
    uint64_t bytes = 0, most_bytes = 0;
    bool full = false;  // some picture did not fit
  };
  Use use() const;

 private:
  const uint64_t most_bytes_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const Image>> kept_;
  uint64_t bytes_ = 0;
  bool full_ = false;
};

}  // namespace graft

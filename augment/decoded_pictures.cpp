#include "augment/decoded_pictures.h"

#include <utility>

namespace graft {
namespace {

/// A picture's file and how it was decoded.
std::string key_of(const std::string& path, const DecodeOptions& options) {
  std::string key = path;
  key += '\0';
  key += std::to_string(options.least_side) + (options.profiles ? "p" : "");
  if (options.background)
    for (const uint8_t channel : *options.background) key += ' ' + std::to_string(channel);
  return key;
}

}  // namespace

std::shared_ptr<const Image> DecodedPictures::find(const std::string& path, const DecodeOptions& options) const {
  const std::lock_guard lock(mutex_);
  const auto kept = kept_.find(key_of(path, options));
  return kept == kept_.end() ? nullptr : kept->second;
}

bool DecodedPictures::has_room() const {
  const std::lock_guard lock(mutex_);
  return !full_;
}

std::shared_ptr<const Image> DecodedPictures::keep(const std::string& path, const DecodeOptions& options, Image image) {
  image.pixels.shrink_to_fit();
  const uint64_t bytes = image.pixels.size();
  auto shared = std::make_shared<const Image>(std::move(image));
  const std::lock_guard lock(mutex_);
  if (bytes_ + bytes > most_bytes_) {
    full_ = true;
  } else if (kept_.try_emplace(key_of(path, options), shared).second) {
    bytes_ += bytes;
  }
  return shared;
}

DecodedPictures::Use DecodedPictures::use() const {
  const std::lock_guard lock(mutex_);
  return {kept_.size(), bytes_, most_bytes_, full_};
}

}  // namespace graft

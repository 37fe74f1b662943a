#pragma once

#include <optional>
#include <string>

#include "augment/pixels/image.h"

namespace graft::app {

/// A text as it stands between tags and in attributes.
std::string html_escaped(const std::string& text);

/// The picture itself in the place of an address: a JPEG of that quality.
std::string data_uri(const Image& image, int quality);

/// The picture with a longer side of `side` pixels at most.
Image shrunk(const Image& image, int64_t side);

/// The file's picture with a longer side of `side` pixels; nothing where it cannot be read.
std::optional<Image> small_picture(const std::string& path, int64_t side);

/// An <img> that holds the picture itself. `description`: what stands in for it.
std::string html_picture(const Image& image, const std::string& description);

}  // namespace graft::app

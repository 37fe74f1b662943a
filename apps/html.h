#pragma once

#include <string>

#include "augment/pixels/image.h"

namespace graft::app {

/// A text as it stands between tags and in attributes.
std::string html_escaped(const std::string& text);

/// An <img> that holds the picture itself. `description`: what stands in for it.
std::string html_picture(const Image& image, const std::string& description);

}  // namespace graft::app

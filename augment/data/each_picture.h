#pragma once

#include <functional>
#include <string>
#include <vector>

#include "augment/decode.h"

namespace graft {

/// Decodes files in `threads` threads (0: one a core), which call `use` with a file's index and its picture, or
/// `failed` with the reason, in any order and several at a time.
void each_picture(const std::vector<std::string>& paths, const DecodeOptions& options, int threads,
                  const std::function<void(size_t index, const Image& image)>& use,
                  const std::function<void(size_t index, const std::string& reason)>& failed);

}  // namespace graft

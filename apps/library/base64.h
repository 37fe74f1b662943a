#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// RFC 4648, with padding and without line breaks.
std::string base64(std::span<const uint8_t> bytes);
/// Nothing where the text is not what base64() writes.
std::optional<std::vector<uint8_t>> from_base64(std::string_view text);

}  // namespace graft

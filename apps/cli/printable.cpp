#include "apps/cli/printable.h"

namespace graft::app {

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      result += c;
      continue;
    }
    constexpr char kDigits[] = "0123456789abcdef";
    if (c == '\n')
      result += "\\n";
    else if (c == '\t')
      result += "\\t";
    else if (c == '\r')
      result += "\\r";
    else
      result.append({'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return result;
}

}  // namespace graft::app

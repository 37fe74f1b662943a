#include "apps/library/read_lines.h"

#include <fstream>

#include "runtime/core/error.h"

namespace graft {

std::vector<std::string> read_lines(const std::string& path) {
  std::ifstream stream(path);
  if (!stream) throw Error(path + ": cannot be opened", "check the path", ErrorCode::not_found);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    if (lines.empty() && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

std::string read_text(const std::string& path) {
  std::string text;
  for (const std::string& line : read_lines(path)) text += line + "\n";
  return text;
}

}  // namespace graft

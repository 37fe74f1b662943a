#include "augment/data/picture_finder.h"

#include <algorithm>

namespace graft {

namespace fs = std::filesystem;

PictureFinder::PictureFinder(const std::string& table)
    : folder_(fs::path(table).parent_path()), folders_{"",       "images", "imgs",  "pictures",
                                                       "photos", "data",   "train", fs::path(table).stem().string()} {}

std::string PictureFinder::find(std::string name) const {
  std::string found = tried(name, {});
  if (found.empty()) found = tried(name, last_);
  if (!found.empty()) return found;
  for (const bool turned : {false, true}) {
    if (turned && name.find('\\') == std::string::npos) break;
    for (const std::string& folder : folders_)
      for (const char* extension : {"", ".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".webp", ".tif", ".bmp", ".gif"}) {
        const Place place{folder, extension, turned};
        found = tried(name, place);
        if (found.empty()) continue;
        last_ = place;
        return found;
      }
  }
  return {};
}

std::string PictureFinder::expected(std::string name) const {
  if (name.find('/') == std::string::npos) std::replace(name.begin(), name.end(), '\\', '/');
  return (folder_ / name).string();
}

std::string PictureFinder::tried(std::string name, const Place& place) const {
  if (name.empty()) return {};
  if (place.turned) std::replace(name.begin(), name.end(), '\\', '/');
  std::error_code code;
  const fs::path path = folder_ / place.folder / (name + place.extension);
  return fs::is_regular_file(path, code) ? path.lexically_normal().string() : std::string();
}

}  // namespace graft

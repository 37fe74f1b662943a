#include "augment/data/like_groups.h"

#include <numeric>

#include "augment/data/each_picture.h"
#include "augment/data/picture_hash.h"

namespace graft {

std::vector<size_t> like_groups(const std::vector<std::string>& paths) {
  constexpr int64_t kEnough = 64;  // pixels of the shorter side, for hashes of 9×8
  std::vector<PictureHash> hashes(paths.size());
  std::vector<char> read(paths.size(), 0);
  each_picture(
      paths, {.least_side = kEnough}, 0,
      [&](size_t i, const Image& image) {
        hashes[i] = hash_of(image);
        read[i] = 1;
      },
      [](size_t, const std::string&) {});
  std::vector<size_t> group(paths.size());
  std::iota(group.begin(), group.end(), size_t{0});
  const auto root = [&](size_t i) {
    while (group[i] != i) i = group[i] = group[group[i]];
    return i;
  };
  for (const Likeness& like : like_pictures(hashes))
    if (read[like.first] && read[like.second]) group[root(like.second)] = root(like.first);
  for (size_t i = 0; i < group.size(); ++i) group[i] = root(i);
  return group;
}

}  // namespace graft

#include "augment/codecs/colour_profile.h"

#include <lcms2.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

namespace graft {
namespace {

/// Profiles that are kept: cameras and programs write a few different ones.
constexpr size_t kKept = 16;
/// Grey levels by which a profile may differ from sRGB and still count as sRGB: rounding of its tables.
constexpr int kSame = 2;

struct CloseProfile {
  void operator()(void* profile) const { cmsCloseProfile(profile); }
};
using Profile = std::unique_ptr<void, CloseProfile>;
using Transform = std::shared_ptr<void>;  // null: nothing is to be done

/// Grey pictures hold their value three times and come out so: one of them is read.
struct Format {
  cmsColorSpaceSignature space;
  cmsUInt32Number in, out;
};

Format format_of(const RawPicture& picture) {
  switch (picture.kind) {
    case RawPicture::Kind::cmyk:
      return {cmsSigCmykData, TYPE_CMYK_8_REV, TYPE_RGBA_8};
    case RawPicture::Kind::rgba:
      if (picture.grey)
        return {cmsSigGrayData, COLORSPACE_SH(PT_GRAY) | EXTRA_SH(3) | CHANNELS_SH(1) | BYTES_SH(1), TYPE_RGBA_8};
      return {cmsSigRgbData, TYPE_RGBA_8, TYPE_RGBA_8};
    default:
      if (picture.grey)
        return {cmsSigGrayData, COLORSPACE_SH(PT_GRAY) | EXTRA_SH(2) | CHANNELS_SH(1) | BYTES_SH(1), TYPE_RGB_8};
      return {cmsSigRgbData, TYPE_RGB_8, TYPE_RGB_8};
  }
}

/// Whether a transform of RGB leaves a grid of colours where they are.
bool changes_nothing(void* transform) {
  constexpr int kSteps = 6;
  for (int i = 0; i < kSteps * kSteps * kSteps; ++i) {
    const auto level = [](int step) { return static_cast<uint8_t>(step * 255 / (kSteps - 1)); };
    const uint8_t in[4] = {level(i % kSteps), level(i / kSteps % kSteps), level(i / kSteps / kSteps), 255};
    uint8_t out[4] = {};
    cmsDoTransform(transform, in, out, 1);
    for (int c = 0; c < 3; ++c)
      if (std::abs(in[c] - out[c]) > kSame) return false;
  }
  return true;
}

Transform made(const RawPicture& picture) {
  const Profile profile(
      cmsOpenProfileFromMem(picture.profile.data(), static_cast<cmsUInt32Number>(picture.profile.size())));
  const Format format = format_of(picture);
  if (!profile || cmsGetColorSpace(profile.get()) != format.space) return nullptr;
  const Profile srgb(cmsCreate_sRGBProfile());
  const cmsUInt32Number flags =
      cmsFLAGS_NOCACHE | (picture.kind == RawPicture::Kind::rgba && !picture.grey ? cmsFLAGS_COPY_ALPHA : 0);
  Transform transform(cmsCreateTransform(profile.get(), format.in, srgb.get(), format.out, INTENT_PERCEPTUAL, flags),
                      [](void* t) {
                        if (t) cmsDeleteTransform(t);
                      });
  if (!transform) return nullptr;
  if (format.space == cmsSigRgbData && changes_nothing(transform.get())) return nullptr;
  return transform;
}

/// A picture of the same kind whose profile was met before takes its transform.
Transform transform_for(const RawPicture& picture) {
  static std::mutex mutex;
  static std::map<std::tuple<RawPicture::Kind, bool, std::string>, Transform> known;
  const std::lock_guard lock(mutex);
  auto key = std::make_tuple(picture.kind, picture.grey, std::string(picture.profile.begin(), picture.profile.end()));
  const auto it = known.find(key);
  if (it != known.end()) return it->second;
  if (known.size() >= kKept) known.clear();
  return known.emplace(std::move(key), made(picture)).first->second;
}

}  // namespace

void to_srgb(RawPicture& picture) {
  if (picture.profile.empty()) return;
  const Transform transform = transform_for(picture);
  if (!transform) return;
  const auto pixels = static_cast<cmsUInt32Number>(picture.width);
  const size_t channels = picture.kind == RawPicture::Kind::rgb ? 3 : 4,
               row = static_cast<size_t>(picture.width) * channels;
  std::vector<uint8_t> out(row);
  for (int64_t y = 0; y < picture.height; ++y) {
    uint8_t* in = picture.pixels.data() + static_cast<size_t>(y) * row;
    std::copy_n(in, row, out.data());  // alpha stays where the transform does not write it
    cmsDoTransform(transform.get(), in, out.data(), pixels);
    std::copy_n(out.data(), row, in);
  }
  if (picture.kind == RawPicture::Kind::cmyk) {
    picture.kind = RawPicture::Kind::rgba;
    for (size_t i = 3; i < picture.pixels.size(); i += 4) picture.pixels[i] = 255;
  }
}

}  // namespace graft

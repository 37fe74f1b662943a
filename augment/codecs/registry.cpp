#include <algorithm>
#include <string>

#include "augment/codecs/codec.h"

namespace graft {
namespace {

template <typename... Codecs>
std::vector<CodecPtr> list_of(Codecs... codecs) {
  std::vector<CodecPtr> all;
  (all.push_back(std::move(codecs)), ...);
  return all;
}

}  // namespace

const std::vector<CodecPtr>& codecs() {
  static const std::vector<CodecPtr> all =
      list_of(make_jpeg_codec(), make_png_codec(), make_webp_codec(), make_gif_codec(), make_tiff_codec(),
              make_heif_codec(), make_bmp_codec(), make_pnm_codec());
  return all;
}

const Codec* codec_of(std::span<const uint8_t> bytes) {
  const auto it =
      std::find_if(codecs().begin(), codecs().end(), [&](const CodecPtr& codec) { return codec->recognises(bytes); });
  return it == codecs().end() ? nullptr : it->get();
}

const std::string& codec_names() {
  static const std::string names = [] {
    std::string text;
    for (size_t i = 0; i < codecs().size(); ++i)
      text += (i == 0 ? "" : i + 1 == codecs().size() ? " or " : ", ") + std::string(codecs()[i]->name());
    return text;
  }();
  return names;
}

}  // namespace graft

#include <memory>
#include <string>
#include <vector>

#include <spng.h>

#include "augment/codecs/bytes.h"
#include "augment/codecs/codec.h"
#include "augment/codecs/exif.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// What a chunk that is no pixels may take, decompressed.
constexpr size_t kLargestChunk = size_t{64} << 20;

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};
using Context = std::unique_ptr<spng_ctx, FreeContext>;

void check(int status) {
  if (status == 0) return;
  if (status == SPNG_IO_EOF) throw Error("is truncated");
  throw Error("cannot be decoded: " + std::string(spng_strerror(status)));
}

Context opened(std::span<const uint8_t> bytes, spng_ihdr& header) {
  Context context(spng_ctx_new(0));
  if (!context) throw Error("there is no memory to decode it", {}, ErrorCode::out_of_memory);
  spng_set_chunk_limits(context.get(), kLargestChunk, kLargestChunk);
  check(spng_set_png_buffer(context.get(), bytes.data(), bytes.size()));
  check(spng_get_ihdr(context.get(), &header));
  return context;
}

class Png final : public Codec {
 public:
  std::string_view name() const override { return "PNG"; }
  bool recognises(std::span<const uint8_t> bytes) const override {
    return has_text_at(bytes, 0, {"\x89PNG\r\n\x1a\n", 8});
  }

  PictureHeader header(std::span<const uint8_t> bytes) const override {
    // The size stands in the first chunk; more of it is read when it is decoded.
    if (bytes.size() < 24 || !has_text_at(bytes, 12, "IHDR")) throw Error("is truncated");
    return {big_endian(bytes, 16, 4), big_endian(bytes, 20, 4)};
  }

  std::vector<uint8_t> exif(std::span<const uint8_t> bytes) const override {
    constexpr size_t kSignature = 8, kHead = 8, kChecksum = 4;
    for (size_t at = kSignature; at + kHead + kChecksum <= bytes.size();) {
      const size_t size = big_endian(bytes, at, 4), data = at + kHead;
      if (size > bytes.size() - data) return {};
      if (has_text_at(bytes, at + 4, "eXIf")) {
        const auto block = bytes.subspan(data, size);
        return {block.begin(), block.end()};
      }
      at = data + size + kChecksum;
    }
    return {};
  }

  RawPicture decode(std::span<const uint8_t> bytes, const DecodeRequest&) const override {
    spng_ihdr header{};
    const Context context = opened(bytes, header);
    spng_trns transparency{};
    const bool alpha = (header.color_type & 4) != 0 || spng_get_trns(context.get(), &transparency) == 0;
    RawPicture picture;
    picture.width = header.width;
    picture.height = header.height;
    picture.kind = alpha ? RawPicture::Kind::rgba : RawPicture::Kind::rgb;
    picture.grey =
        header.color_type == SPNG_COLOR_TYPE_GRAYSCALE || header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA;
    const int format = alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
    size_t size = 0;
    check(spng_decoded_image_size(context.get(), format, &size));
    picture.pixels.resize(size);
    check(spng_decode_image(context.get(), picture.pixels.data(), size, format, alpha ? SPNG_DECODE_TRNS : 0));
    spng_iccp profile{};
    if (spng_get_iccp(context.get(), &profile) == 0)
      picture.profile.assign(profile.profile, profile.profile + profile.profile_len);
    spng_exif exif{};  // may stand behind the pixels
    if (spng_get_exif(context.get(), &exif) == 0)
      picture.orientation = exif_orientation({reinterpret_cast<const uint8_t*>(exif.data), exif.length});
    return picture;
  }
};

}  // namespace

CodecPtr make_png_codec() { return std::make_unique<Png>(); }

}  // namespace graft

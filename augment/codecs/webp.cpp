#include <algorithm>
#include <memory>

#include <webp/decode.h>
#include <webp/demux.h>

#include "augment/codecs/bytes.h"
#include "augment/codecs/codec.h"
#include "augment/codecs/exif.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

struct FreeDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};
using Demuxer = std::unique_ptr<WebPDemuxer, FreeDemuxer>;

Demuxer opened(std::span<const uint8_t> bytes) {
  const WebPData data{bytes.data(), bytes.size()};
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  Demuxer demuxer(WebPDemuxPartial(&data, &state));
  if (!demuxer || state == WEBP_DEMUX_PARSE_ERROR) throw Error("cannot be decoded: the WebP data is damaged");
  if (state == WEBP_DEMUX_PARSING_HEADER) throw Error("is truncated");
  return demuxer;
}

std::span<const uint8_t> chunk(const WebPDemuxer* demuxer, const char* name, WebPChunkIterator& at) {
  if (!WebPDemuxGetChunk(demuxer, name, 1, &at)) return {};
  return {at.chunk.bytes, at.chunk.size};
}

class WebP final : public Codec {
 public:
  std::string_view name() const override { return "WebP"; }
  bool recognises(std::span<const uint8_t> bytes) const override {
    return has_text_at(bytes, 0, "RIFF") && has_text_at(bytes, 8, "WEBP");
  }

  PictureHeader header(std::span<const uint8_t> bytes) const override {
    const Demuxer demuxer = opened(bytes);
    return {WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH), WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT)};
  }

  std::vector<uint8_t> exif(std::span<const uint8_t> bytes) const override {
    const Demuxer demuxer = opened(bytes);
    WebPChunkIterator at{};
    const auto block = chunk(demuxer.get(), "EXIF", at);
    std::vector<uint8_t> copy(block.begin(), block.end());
    WebPDemuxReleaseChunkIterator(&at);
    return copy;
  }

  RawPicture decode(std::span<const uint8_t> bytes, const DecodeRequest&) const override {
    const Demuxer demuxer = opened(bytes);
    RawPicture picture;
    picture.width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
    picture.height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
    WebPChunkIterator at{};
    const auto exif = chunk(demuxer.get(), "EXIF", at);
    picture.orientation = exif_orientation(exif);
    WebPDemuxReleaseChunkIterator(&at);
    at = {};
    const auto profile = chunk(demuxer.get(), "ICCP", at);
    picture.profile.assign(profile.begin(), profile.end());
    WebPDemuxReleaseChunkIterator(&at);
    WebPIterator frame{};
    if (!WebPDemuxGetFrame(demuxer.get(), 1, &frame)) throw Error("is truncated");
    const std::unique_ptr<WebPIterator, void (*)(WebPIterator*)> release(&frame, WebPDemuxReleaseIterator);
    if (!frame.complete) throw Error("is truncated");
    // The first frame of an animation may cover a part of the canvas alone: the rest is transparent.
    const bool whole = frame.width == picture.width && frame.height == picture.height;
    const bool alpha = frame.has_alpha || !whole;
    const size_t channels = alpha ? 4 : 3, row_bytes = static_cast<size_t>(picture.width) * channels;
    picture.kind = alpha ? RawPicture::Kind::rgba : RawPicture::Kind::rgb;
    picture.pixels.assign(row_bytes * static_cast<size_t>(picture.height), 0);
    uint8_t* first = picture.pixels.data() + static_cast<size_t>(frame.y_offset) * row_bytes +
                     static_cast<size_t>(frame.x_offset) * channels;
    const size_t size = picture.pixels.size() - static_cast<size_t>(first - picture.pixels.data());
    const auto decode_into = alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
    if (!decode_into(frame.fragment.bytes, frame.fragment.size, first, size, static_cast<int>(row_bytes)))
      throw Error("cannot be decoded: the WebP data is damaged");
    return picture;
  }
};

}  // namespace

CodecPtr make_webp_codec() { return std::make_unique<WebP>(); }

}  // namespace graft

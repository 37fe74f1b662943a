#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include <gif_lib.h>

#include "augment/codecs/bytes.h"
#include "augment/codecs/codec.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

struct Unread {
  std::span<const uint8_t> bytes;
  bool ended = false;

  static int read(GifFileType* file, GifByteType* to, int count) {
    auto* self = static_cast<Unread*>(file->UserData);
    const size_t given = std::min(static_cast<size_t>(count), self->bytes.size());
    self->ended = self->ended || given < static_cast<size_t>(count);
    std::memcpy(to, self->bytes.data(), given);
    self->bytes = self->bytes.subspan(given);
    return static_cast<int>(given);
  }
};

struct Close {
  void operator()(GifFileType* file) const { DGifCloseFile(file, nullptr); }
};
using File = std::unique_ptr<GifFileType, Close>;

[[noreturn]] void fail(const Unread& unread, int code) {
  if (unread.ended) throw Error("is truncated");
  const char* text = GifErrorString(code);
  throw Error("cannot be decoded: " + std::string(text ? text : "the GIF data is damaged"));
}

/// Reads up to the first frame's pixels; its size and place are in `file`->Image then.
File at_first_frame(Unread& unread, int& transparent) {
  int code = 0;
  File file(DGifOpen(&unread, Unread::read, &code));
  if (!file) fail(unread, code);
  transparent = NO_TRANSPARENT_COLOR;
  while (true) {
    GifRecordType type{};
    if (DGifGetRecordType(file.get(), &type) == GIF_ERROR) fail(unread, file->Error);
    if (type == IMAGE_DESC_RECORD_TYPE) {
      if (DGifGetImageDesc(file.get()) == GIF_ERROR) fail(unread, file->Error);
      return file;
    }
    if (type == TERMINATE_RECORD_TYPE) throw Error("holds no picture");
    int kind = 0;
    GifByteType* block = nullptr;
    if (type != EXTENSION_RECORD_TYPE) continue;
    if (DGifGetExtension(file.get(), &kind, &block) == GIF_ERROR) fail(unread, file->Error);
    GraphicsControlBlock control{};
    if (block && kind == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
      transparent = control.TransparentColor;
    while (block)
      if (DGifGetExtensionNext(file.get(), &block) == GIF_ERROR) fail(unread, file->Error);
  }
}

/// Frames that reach beyond the screen make it larger, as browsers have it.
PictureHeader canvas(const GifFileType& file) {
  return {std::max<int64_t>(file.SWidth, int64_t{file.Image.Left} + file.Image.Width),
          std::max<int64_t>(file.SHeight, int64_t{file.Image.Top} + file.Image.Height)};
}

class Gif final : public Codec {
 public:
  std::string_view name() const override { return "GIF"; }
  bool recognises(std::span<const uint8_t> bytes) const override {
    return has_text_at(bytes, 0, "GIF87a") || has_text_at(bytes, 0, "GIF89a");
  }

  PictureHeader header(std::span<const uint8_t> bytes) const override {
    Unread unread{bytes};
    int transparent = 0;
    return canvas(*at_first_frame(unread, transparent));
  }

  RawPicture decode(std::span<const uint8_t> bytes, const DecodeRequest&) const override {
    Unread unread{bytes};
    int transparent = 0;
    const File file = at_first_frame(unread, transparent);
    const GifImageDesc& frame = file->Image;
    const PictureHeader size = canvas(*file);
    RawPicture picture;
    picture.width = size.width;
    picture.height = size.height;
    picture.kind = RawPicture::Kind::rgba;
    picture.pixels.assign(static_cast<size_t>(size.width * size.height) * 4, 0);
    const ColorMapObject* map = frame.ColorMap ? frame.ColorMap : file->SColorMap;
    std::vector<GifPixelType> row(static_cast<size_t>(frame.Width));
    const auto put = [&](int y) {
      if (DGifGetLine(file.get(), row.data(), frame.Width) == GIF_ERROR) fail(unread, file->Error);
      uint8_t* to =
          picture.pixels.data() +
          (static_cast<size_t>(frame.Top + y) * static_cast<size_t>(size.width) + static_cast<size_t>(frame.Left)) * 4;
      for (const GifPixelType index : row) {
        const bool known = map && index < map->ColorCount;
        const GifColorType grey{index, index, index},  // files without any palette are shades of grey
            colour = known ? map->Colors[index]
                     : map ? GifColorType{}
                           : grey;
        *to++ = colour.Red;
        *to++ = colour.Green;
        *to++ = colour.Blue;
        *to++ = index == transparent ? 0 : 255;
      }
    };
    if (!frame.Interlace) {
      for (int y = 0; y < frame.Height; ++y) put(y);
    } else {
      constexpr int kFirst[] = {0, 4, 2, 1}, kStep[] = {8, 8, 4, 2};
      for (int pass = 0; pass < 4; ++pass)
        for (int y = kFirst[pass]; y < frame.Height; y += kStep[pass]) put(y);
    }
    return picture;
  }
};

}  // namespace

CodecPtr make_gif_codec() { return std::make_unique<Gif>(); }

}  // namespace graft

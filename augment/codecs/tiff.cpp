#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include <tiffio.h>

#include "augment/codecs/bytes.h"
#include "augment/codecs/codec.h"
#include "runtime/core/error.h"
#include "runtime/core/shared_library.h"

namespace graft {
namespace {

/// What a strip or tile may take, decoded: a damaged header asks for more than the picture has.
constexpr uint64_t kLargestStrip = uint64_t{1} << 30;
/// Tiles of small pictures are larger than these.
constexpr uint64_t kSmallStrip = uint64_t{16} << 20;

/// What the library said last in this thread.
thread_local std::string last_message;

void keep_message(thandle_t, const char*, const char* format, va_list arguments) {
  char text[256];
  std::vsnprintf(text, sizeof text, format, arguments);
  last_message = text;
}

struct Library {
  SharedLibrary library{GRAFT_TIFF_LIBRARY, "TIFF pictures"};
#define GRAFT_FUNCTION(name) decltype(&::name) name = library.function<decltype(::name)>(#name)
  GRAFT_FUNCTION(TIFFClientOpen);
  GRAFT_FUNCTION(TIFFClose);
  GRAFT_FUNCTION(TIFFGetField);
  GRAFT_FUNCTION(TIFFSetField);
  GRAFT_FUNCTION(TIFFIsTiled);
  GRAFT_FUNCTION(TIFFReadDirectory);
  GRAFT_FUNCTION(TIFFStripSize64);
  GRAFT_FUNCTION(TIFFTileSize64);
  GRAFT_FUNCTION(TIFFRGBAImageBegin);
  GRAFT_FUNCTION(TIFFRGBAImageGet);
  GRAFT_FUNCTION(TIFFRGBAImageEnd);
  GRAFT_FUNCTION(TIFFSetErrorHandler);
  GRAFT_FUNCTION(TIFFSetErrorHandlerExt);
  GRAFT_FUNCTION(TIFFSetWarningHandler);
#undef GRAFT_FUNCTION
  Library() {
    TIFFSetErrorHandler(nullptr);
    TIFFSetWarningHandler(nullptr);
    TIFFSetErrorHandlerExt(keep_message);
  }
};

const Library& lib() {
  static const Library opened;
  return opened;
}

struct Memory {
  std::span<const uint8_t> bytes;
  uint64_t at = 0;

  static Memory& of(thandle_t handle) { return *static_cast<Memory*>(handle); }
  static tmsize_t read(thandle_t handle, void* to, tmsize_t count) {
    Memory& self = of(handle);
    const uint64_t left = self.at < self.bytes.size() ? self.bytes.size() - self.at : 0;
    const uint64_t given = std::min<uint64_t>(left, static_cast<uint64_t>(std::max<tmsize_t>(count, 0)));
    if (given > 0) std::memcpy(to, self.bytes.data() + self.at, given);
    self.at += given;
    return static_cast<tmsize_t>(given);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return -1; }
  static toff_t seek(thandle_t handle, toff_t offset, int whence) {
    Memory& self = of(handle);
    self.at = offset + (whence == SEEK_CUR ? self.at : whence == SEEK_END ? self.bytes.size() : 0);
    return self.at;
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t handle) { return of(handle).bytes.size(); }
  /// Strips that are stored plainly are read where they are.
  static int map(thandle_t handle, void** base, toff_t* size) {
    *base = const_cast<uint8_t*>(of(handle).bytes.data());
    *size = of(handle).bytes.size();
    return 1;
  }
  static void unmap(thandle_t, void*, toff_t) {}
};

[[noreturn]] void fail() {
  throw Error("cannot be decoded: " + (last_message.empty() ? "the TIFF data is damaged" : last_message));
}

struct Close {
  void operator()(TIFF* file) const { lib().TIFFClose(file); }
};
using File = std::unique_ptr<TIFF, Close>;

File opened(Memory& memory) {
  last_message.clear();
  File file(lib().TIFFClientOpen("picture", "r", &memory, Memory::read, Memory::write, Memory::seek, Memory::close,
                                 Memory::size, Memory::map, Memory::unmap));
  if (!file) fail();
  return file;
}

PictureHeader size_of(TIFF* file) {
  uint32_t width = 0, height = 0;
  lib().TIFFGetField(file, TIFFTAG_IMAGEWIDTH, &width);
  lib().TIFFGetField(file, TIFFTAG_IMAGELENGTH, &height);
  return {width, height};
}

uint16_t field(TIFF* file, uint32_t tag, uint16_t otherwise) {
  uint16_t value = otherwise;
  lib().TIFFGetField(file, tag, &value);
  return value;
}

/// What the channels beside the colours are.
std::vector<uint16_t> extra_channels(TIFF* file) {
  uint16_t count = 0, *kinds = nullptr;
  if (!lib().TIFFGetField(file, TIFFTAG_EXTRASAMPLES, &count, &kinds)) return {};
  return {kinds, kinds + count};
}

/// Goes to the first page that is no preview of another. Cameras' raw files have nothing else that could be read.
void find_page(TIFF* file) {
  uint8_t* version = nullptr;
  if (lib().TIFFGetField(file, TIFFTAG_DNGVERSION, &version))
    throw Error("is a camera's raw file", "develop it to JPEG, PNG or TIFF");
  const auto is_preview = [&] {
    uint32_t type = 0;
    return lib().TIFFGetField(file, TIFFTAG_SUBFILETYPE, &type) && (type & FILETYPE_REDUCEDIMAGE) != 0;
  };
  while (is_preview())
    if (!lib().TIFFReadDirectory(file))
      throw Error("holds previews alone, as a camera's raw file does", "develop it to JPEG, PNG or TIFF");
}

class Tiff final : public Codec {
 public:
  std::string_view name() const override { return "TIFF"; }
  bool recognises(std::span<const uint8_t> bytes) const override {
    for (const std::string_view magic : {std::string_view("II*\0", 4), std::string_view("MM\0*", 4),
                                         std::string_view("II+\0", 4), std::string_view("MM\0+", 4)})
      if (has_text_at(bytes, 0, magic)) return true;
    return false;
  }

  std::vector<uint8_t> exif(std::span<const uint8_t> bytes) const override { return {bytes.begin(), bytes.end()}; }

  PictureHeader header(std::span<const uint8_t> bytes) const override {
    Memory memory{bytes};
    const File file = opened(memory);
    find_page(file.get());
    return size_of(file.get());
  }

  RawPicture decode(std::span<const uint8_t> bytes, const DecodeRequest&) const override {
    Memory memory{bytes};
    const File file = opened(memory);
    find_page(file.get());
    const PictureHeader size = size_of(file.get());
    const uint16_t bits = field(file.get(), TIFFTAG_BITSPERSAMPLE, 1);
    if (field(file.get(), TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT) != SAMPLEFORMAT_UINT)
      throw Error("is a TIFF of floating-point or signed numbers", "convert it to 8 or 16 bits");
    if (bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 16)
      throw Error("is a TIFF with " + std::to_string(bits) + " bits a channel", "convert it to 8 or 16 bits");
    const uint64_t strip =
        lib().TIFFIsTiled(file.get()) ? lib().TIFFTileSize64(file.get()) : lib().TIFFStripSize64(file.get());
    const auto largest = static_cast<uint64_t>(size.width * size.height) * 16;  // any picture of that size takes less
    if (strip > kLargestStrip || strip > largest + kSmallStrip)
      throw Error("cannot be decoded: its strips would take " + std::to_string(strip) + " bytes");
    std::vector<uint16_t> extra = extra_channels(file.get());
    const uint16_t alpha = extra.empty() ? uint16_t{EXTRASAMPLE_UNSPECIFIED} : extra[0];
    // Colours that are not multiplied by their alpha would be, with a loss: called associated they come as they are.
    if (alpha == EXTRASAMPLE_UNASSALPHA) {
      extra[0] = EXTRASAMPLE_ASSOCALPHA;
      lib().TIFFSetField(file.get(), TIFFTAG_EXTRASAMPLES, static_cast<uint16_t>(extra.size()), extra.data());
    }
    char message[1024] = "";
    TIFFRGBAImage image{};
    if (!lib().TIFFRGBAImageBegin(&image, file.get(), 1, message)) {
      last_message = message;
      fail();
    }
    const std::unique_ptr<TIFFRGBAImage, void (*)(TIFFRGBAImage*)> end(
        &image, [](TIFFRGBAImage* i) { lib().TIFFRGBAImageEnd(i); });
    RawPicture picture;
    picture.width = size.width;
    picture.height = size.height;
    picture.orientation = image.orientation >= 1 && image.orientation <= 8 ? image.orientation : 1;
    image.req_orientation = image.orientation;  // as stored: other formats are turned in the same place
    picture.grey = image.photometric == PHOTOMETRIC_MINISBLACK || image.photometric == PHOTOMETRIC_MINISWHITE;
    std::vector<uint32_t> raster(static_cast<size_t>(size.width * size.height));
    if (!lib().TIFFRGBAImageGet(&image, raster.data(), static_cast<uint32_t>(size.width),
                                static_cast<uint32_t>(size.height)))
      fail();
    const bool has_alpha = image.alpha != 0 && alpha != EXTRASAMPLE_UNSPECIFIED;
    picture.kind = has_alpha ? RawPicture::Kind::rgba : RawPicture::Kind::rgb;
    picture.pixels.resize(raster.size() * (has_alpha ? 4 : 3));
    uint8_t* to = picture.pixels.data();
    for (const uint32_t pixel : raster) {
      const uint32_t a = TIFFGetA(pixel);
      const auto colour = [&](uint32_t c) {  // not multiplied, as other formats have it
        const bool undo = alpha == EXTRASAMPLE_ASSOCALPHA && a > 0;
        return static_cast<uint8_t>(undo ? std::min<uint32_t>(255, (c * 255 + a / 2) / a) : c);
      };
      *to++ = colour(TIFFGetR(pixel));
      *to++ = colour(TIFFGetG(pixel));
      *to++ = colour(TIFFGetB(pixel));
      if (has_alpha) *to++ = static_cast<uint8_t>(a);
    }
    uint32_t count = 0;
    void* profile = nullptr;
    // The library makes RGB of inks and other colours: only a profile for RGB or grey says what comes out.
    const bool direct = picture.grey || image.photometric == PHOTOMETRIC_RGB ||
                        image.photometric == PHOTOMETRIC_PALETTE || image.photometric == PHOTOMETRIC_YCBCR;
    if (direct && lib().TIFFGetField(file.get(), TIFFTAG_ICCPROFILE, &count, &profile) && profile)
      picture.profile.assign(static_cast<uint8_t*>(profile), static_cast<uint8_t*>(profile) + count);
    return picture;
  }
};

}  // namespace

CodecPtr make_tiff_codec() { return std::make_unique<Tiff>(); }

}  // namespace graft

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "augment/codecs/bytes.h"
#include "augment/codecs/codec.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// Windows' and OS/2's bitmaps. [Microsoft: BITMAPINFOHEADER, BITMAPV5HEADER, Bitmap Compression]
enum class Compression : uint32_t { none = 0, rle8 = 1, rle4 = 2, masks = 3, masks_with_alpha = 6 };

/// A run of two bytes makes up to 255 pixels; a picture may leave out so many more by its jumps.
constexpr size_t kPixelsOfAByte = 128, kSkipped = size_t{1} << 24;
constexpr size_t kFileHeader = 14, kOldHeader = 12, kInfoHeader = 40;

struct Head {
  PictureHeader size;
  bool from_top = false;
  uint32_t bits = 0;
  Compression compression = Compression::none;
  std::array<uint32_t, 4> masks{};  // red, green, blue, alpha
  size_t palette = 0, palette_step = 4, colours = 0, pixels = 0;
};

Head read_head(std::span<const uint8_t> bytes) {
  if (bytes.size() < kFileHeader + kOldHeader) throw Error("is truncated");
  const size_t size = little_endian(bytes, 14, 4);
  if ((size != kOldHeader && size < kInfoHeader) || size > 256)
    throw Error("cannot be decoded: its header has " + std::to_string(size) + " bytes");
  if (bytes.size() < kFileHeader + size) throw Error("is truncated");
  Head head;
  head.pixels = little_endian(bytes, 10, 4);
  if (size == kOldHeader) {
    head.size = {little_endian(bytes, 18, 2), little_endian(bytes, 20, 2)};
    head.bits = little_endian(bytes, 24, 2);
    head.palette_step = 3;
  } else {
    const auto height = static_cast<int32_t>(little_endian(bytes, 22, 4));
    head.from_top = height < 0;
    head.size = {static_cast<int32_t>(little_endian(bytes, 18, 4)), std::abs(static_cast<int64_t>(height))};
    head.bits = little_endian(bytes, 28, 2);
    head.compression = static_cast<Compression>(little_endian(bytes, 30, 4));
    head.colours = little_endian(bytes, 46, 4);
  }
  head.palette = kFileHeader + size;
  if (head.bits == 16) head.masks = {0x7c00, 0x03e0, 0x001f, 0};
  if (head.bits == 32) head.masks = {0xff0000, 0x00ff00, 0x0000ff, 0};
  const bool masked = head.compression == Compression::masks || head.compression == Compression::masks_with_alpha;
  if (masked) {
    const bool inside = size > kInfoHeader,
               with_alpha = size >= 56 || head.compression == Compression::masks_with_alpha;
    if (bytes.size() < kFileHeader + kInfoHeader + 16) throw Error("is truncated");
    for (size_t c = 0; c < (with_alpha ? 4u : 3u); ++c)
      head.masks[c] = little_endian(bytes, kFileHeader + kInfoHeader + 4 * c, 4);
    if (!inside) head.palette += with_alpha ? 16 : 12;
  }
  if (head.bits <= 8 && head.colours == 0) head.colours = size_t{1} << head.bits;
  return head;
}

/// The bits of a mask as a number in 0…255.
uint8_t masked(uint32_t pixel, uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  const uint64_t largest = mask >> shift, value = (pixel & mask) >> shift;
  return static_cast<uint8_t>((value * 255 + largest / 2) / largest);
}

class Decoder {
 public:
  Decoder(std::span<const uint8_t> bytes, const Head& head, RawPicture& picture)
      : bytes_(bytes), head_(head), picture_(picture), channels_(picture.kind == RawPicture::Kind::rgba ? 4 : 3) {}

  void run() {
    if (head_.bits <= 8) read_palette();
    if (head_.compression == Compression::rle8 || head_.compression == Compression::rle4)
      run_lengths();
    else
      plain();
  }

 private:
  void read_palette() {
    for (size_t i = 0; i < std::min<size_t>(head_.colours, 256); ++i) {
      const size_t at = head_.palette + i * head_.palette_step;
      if (at + 3 > bytes_.size()) throw Error("is truncated");
      palette_[i] = {bytes_[at + 2], bytes_[at + 1], bytes_[at]};
    }
  }
  uint8_t* place(int64_t x, int64_t y) {
    const int64_t row = head_.from_top ? y : picture_.height - 1 - y;
    return picture_.pixels.data() + static_cast<size_t>(row * picture_.width + x) * channels_;
  }
  void put(int64_t x, int64_t y, uint32_t index) {
    if (x < picture_.width && y < picture_.height) std::copy_n(palette_[index].begin(), 3, place(x, y));
  }

  void plain() {
    const size_t step = (static_cast<size_t>(picture_.width) * head_.bits + 31) / 32 * 4;
    for (int64_t y = 0; y < picture_.height; ++y) {
      const size_t begin = head_.pixels + static_cast<size_t>(y) * step;
      if (begin + (static_cast<size_t>(picture_.width) * head_.bits + 7) / 8 > bytes_.size())
        throw Error("is truncated");
      for (int64_t x = 0; x < picture_.width; ++x) {
        const auto i = static_cast<size_t>(x);
        if (head_.bits <= 8) {
          const uint8_t byte = bytes_[begin + i * head_.bits / 8];
          const uint32_t shift = 8 - head_.bits - static_cast<uint32_t>(i * head_.bits % 8);
          put(x, y, byte >> shift & ((1u << head_.bits) - 1));
        } else if (head_.bits == 24) {
          uint8_t* to = place(x, y);
          for (size_t c = 0; c < 3; ++c) to[c] = bytes_[begin + 3 * i + 2 - c];
        } else {
          const uint32_t pixel = little_endian(bytes_, begin + i * head_.bits / 8, head_.bits / 8);
          uint8_t* to = place(x, y);
          for (size_t c = 0; c < channels_; ++c) to[c] = masked(pixel, head_.masks[c]);
        }
      }
    }
  }

  /// Pixels that nothing is said of have the first colour.
  void run_lengths() {
    for (int64_t y = 0; y < picture_.height; ++y)
      for (int64_t x = 0; x < picture_.width; ++x) put(x, y, 0);
    const bool nibbles = head_.compression == Compression::rle4;
    size_t at = head_.pixels;
    int64_t x = 0, y = 0;
    const auto next = [&] {
      if (at >= bytes_.size()) throw Error("is truncated");
      return bytes_[at++];
    };
    while (true) {
      // Some files leave the end out.
      if (at >= bytes_.size() && (y >= picture_.height || (y == picture_.height - 1 && x >= picture_.width))) return;
      const uint8_t count = next(), value = next();
      if (count > 0) {
        for (int i = 0; i < count; ++i) put(x++, y, nibbles ? (i % 2 ? value & 15u : value >> 4u) : value);
      } else if (value == 0) {
        x = 0;
        ++y;
      } else if (value == 1) {
        return;
      } else if (value == 2) {
        x += next();
        y += next();
      } else {
        uint8_t byte = 0;
        for (int i = 0; i < value; ++i) {
          if (!nibbles || i % 2 == 0) byte = next();
          put(x++, y, nibbles ? (i % 2 ? byte & 15u : byte >> 4u) : byte);
        }
        const int taken = nibbles ? (value + 1) / 2 : value;
        if (taken % 2) next();
      }
    }
  }

  std::span<const uint8_t> bytes_;
  const Head& head_;
  RawPicture& picture_;
  size_t channels_;
  std::array<std::array<uint8_t, 3>, 256> palette_{};
};

class Bmp final : public Codec {
 public:
  std::string_view name() const override { return "BMP"; }
  bool recognises(std::span<const uint8_t> bytes) const override {
    if (bytes.size() < 18) return false;
    // Two letters are no proof: the header's size is one of a few.
    const uint32_t size = little_endian(bytes, 14, 4);
    const bool known = size == 12 || size == 40 || size == 52 || size == 56 || size == 64 || size == 108 || size == 124;
    if (!known) return false;
    return bytes.size() >= 18 && has_text_at(bytes, 0, "BM");
  }
  PictureHeader header(std::span<const uint8_t> bytes) const override { return read_head(bytes).size; }

  RawPicture decode(std::span<const uint8_t> bytes, const DecodeRequest&) const override {
    const Head head = read_head(bytes);
    const bool runs = (head.compression == Compression::rle8 && head.bits == 8) ||
                      (head.compression == Compression::rle4 && head.bits == 4);
    const bool masked = head.compression == Compression::masks || head.compression == Compression::masks_with_alpha;
    const bool plain = head.compression == Compression::none || (masked && (head.bits == 16 || head.bits == 32));
    const bool depth = head.bits == 1 || head.bits == 2 || head.bits == 4 || head.bits == 8 || head.bits == 16 ||
                       head.bits == 24 || head.bits == 32;
    if ((!runs && !plain) || !depth)
      throw Error("is a BMP of " + std::to_string(head.bits) + " bits in compression " +
                      std::to_string(static_cast<uint32_t>(head.compression)) + ", which is not read",
                  "convert it to PNG");
    // A damaged header must not take memory that the file's bytes cannot fill.
    const size_t row = (static_cast<size_t>(head.size.width) * head.bits + 7) / 8;
    if (plain &&
        (head.pixels > bytes.size() || (bytes.size() - head.pixels) / row < static_cast<size_t>(head.size.height)))
      throw Error("is truncated");
    const auto pixels = static_cast<size_t>(head.size.width * head.size.height);
    if (runs && pixels > kSkipped && pixels / kPixelsOfAByte > bytes.size()) throw Error("is truncated");
    RawPicture picture;
    picture.width = head.size.width;
    picture.height = head.size.height;
    picture.kind = head.masks[3] ? RawPicture::Kind::rgba : RawPicture::Kind::rgb;
    picture.pixels.resize(static_cast<size_t>(head.size.width * head.size.height) * (head.masks[3] ? 4 : 3));
    Decoder(bytes, head, picture).run();
    return picture;
  }
};

}  // namespace

CodecPtr make_bmp_codec() { return std::make_unique<Bmp>(); }

}  // namespace graft

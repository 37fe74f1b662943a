#include <algorithm>
#include <cctype>
#include <string>

#include "augment/codecs/bytes.h"
#include "augment/codecs/codec.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

constexpr int64_t kLargestNumber = int64_t{1} << 40;

/// The numbers of a PNM's head, and of its body where that is text. [netpbm: pbm(5), pgm(5), ppm(5)]
class Text {
 public:
  explicit Text(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  size_t position() const { return at_; }
  /// Throws Error at the end.
  int64_t number() {
    skip_space();
    if (at_ < bytes_.size() && !std::isdigit(bytes_[at_])) throw Error("cannot be decoded: a number is missing");
    int64_t value = 0;
    for (; at_ < bytes_.size() && std::isdigit(bytes_[at_]); ++at_)
      value = std::min(kLargestNumber, value * 10 + (bytes_[at_] - '0'));
    return value;
  }
  /// A 0 or 1, with or without space in front.
  int64_t bit() {
    skip_space();
    const uint8_t c = bytes_[at_++];
    if (c != '0' && c != '1') throw Error("cannot be decoded: a bit is neither 0 nor 1");
    return c - '0';
  }
  void skip(size_t count) { at_ += count; }

 private:
  void skip_space() {
    while (at_ < bytes_.size() && (std::isspace(bytes_[at_]) || bytes_[at_] == '#')) {
      if (bytes_[at_] == '#')
        while (at_ < bytes_.size() && bytes_[at_] != '\n') ++at_;
      else
        ++at_;
    }
    if (at_ >= bytes_.size()) throw Error("is truncated");
  }
  std::span<const uint8_t> bytes_;
  size_t at_ = 2;
};

struct Head {
  char kind = 0;  // '1' to '6'
  PictureHeader size;
  int64_t largest = 1;
  size_t body = 0;
  bool is_bits() const { return kind == '1' || kind == '4'; }
  bool is_text() const { return kind <= '3'; }
  size_t channels() const { return kind == '3' || kind == '6' ? 3 : 1; }
};

Head read_head(std::span<const uint8_t> bytes) {
  Text text(bytes);
  Head head;
  head.kind = static_cast<char>(bytes[1]);
  head.size.width = text.number();
  head.size.height = text.number();
  if (!head.is_bits()) head.largest = text.number();
  if (head.largest < 1 || head.largest > 65535)
    throw Error("cannot be decoded: its largest value is " + std::to_string(head.largest));
  head.body = text.position() + (head.is_text() ? 0 : 1);
  return head;
}

class Pnm final : public Codec {
 public:
  std::string_view name() const override { return "PNM"; }
  bool recognises(std::span<const uint8_t> bytes) const override {
    return bytes.size() > 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
           (std::isspace(bytes[2]) || bytes[2] == '#');
  }
  PictureHeader header(std::span<const uint8_t> bytes) const override { return read_head(bytes).size; }

  RawPicture decode(std::span<const uint8_t> bytes, const DecodeRequest&) const override {
    const Head head = read_head(bytes);
    RawPicture picture;
    picture.width = head.size.width;
    picture.height = head.size.height;
    picture.grey = head.channels() == 1;
    const auto pixels = static_cast<size_t>(head.size.width * head.size.height);
    const size_t numbers = pixels * head.channels();
    // Before memory is taken: each number has at least so many bytes.
    const size_t row = head.is_bits() && !head.is_text() ? (static_cast<size_t>(head.size.width) + 7) / 8 : 0;
    const size_t least = row > 0              ? row * static_cast<size_t>(head.size.height)
                         : head.is_text()     ? numbers
                         : head.largest > 255 ? 2 * numbers
                                              : numbers;
    if (bytes.size() < head.body || bytes.size() - head.body < least) throw Error("is truncated");
    picture.pixels.resize(pixels * 3);
    const auto to_byte = [&](int64_t value) {
      return static_cast<uint8_t>((std::min(value, head.largest) * 255 + head.largest / 2) / head.largest);
    };
    Text text(bytes);
    text.skip(head.body - 2);
    for (size_t i = 0; i < numbers; ++i) {
      uint8_t value = 0;
      if (head.is_bits() && head.is_text()) {
        value = text.bit() ? 0 : 255;
      } else if (head.is_bits()) {
        const size_t x = i % static_cast<size_t>(head.size.width), y = i / static_cast<size_t>(head.size.width);
        value = bytes[head.body + y * row + x / 8] >> (7 - x % 8) & 1 ? 0 : 255;
      } else if (head.is_text()) {
        value = to_byte(text.number());
      } else {
        value = head.largest > 255    ? to_byte(big_endian(bytes, head.body + 2 * i, 2))
                : head.largest == 255 ? bytes[head.body + i]
                                      : to_byte(bytes[head.body + i]);
      }
      if (head.channels() == 3)
        picture.pixels[i] = value;
      else
        std::fill_n(picture.pixels.begin() + static_cast<int64_t>(3 * i), 3, value);
    }
    return picture;
  }
};

}  // namespace

CodecPtr make_pnm_codec() { return std::make_unique<Pnm>(); }

}  // namespace graft

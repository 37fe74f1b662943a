#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <tuple>
#include <utility>

#include <jpeglib.h>

#include <jerror.h>

#include "augment/codecs/bytes.h"
#include "augment/codecs/codec.h"
#include "augment/codecs/exif.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

constexpr int kMostScans = 500;
/// Columns and rows at the edge of what is decoded alone, whose chroma is not interpolated with what lies beyond.
constexpr int kInterpolated = 2;

/// libjpeg tells of errors by a function that must not return: it jumps back to where the reader was called. Nothing
/// that has a destructor may be made between that place and a call into libjpeg.
struct JumpingErrors {
  jpeg_error_mgr base;  // first: libjpeg knows its address
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX];
  bool damaged;  // a stretch of the picture was made up

  static void exit(j_common_ptr info) {
    auto* self = reinterpret_cast<JumpingErrors*>(info->err);
    info->err->format_message(info, self->message);
    std::longjmp(self->back, 1);
  }
  /// Warnings: those of bytes that are missing or make no sense; all others do not change a pixel.
  static void warn(j_common_ptr info, int level) {
    const int code = info->err->msg_code;
    if (level < 0 && (code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_ARITH_BAD_CODE))
      reinterpret_cast<JumpingErrors*>(info->err)->damaged = true;
  }
  /// A progressive picture has some ten scans; thousands in a few bytes would keep a thread for minutes.
  static void count_scans(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
    auto* self = reinterpret_cast<JumpingErrors*>(info->err);
    std::snprintf(self->message, sizeof self->message, "it has more than %d scans", kMostScans);
    std::longjmp(self->back, 1);
  }
};

/// Bytes in memory; what is asked for behind their end is not made up, as jpeg_mem_src does.
struct MemorySource {
  jpeg_source_mgr base;
  bool ended;

  static void nothing(j_decompress_ptr) {}
  static boolean fill(j_decompress_ptr info) {
    auto* self = reinterpret_cast<MemorySource*>(info->src);
    self->ended = true;
    auto* errors = reinterpret_cast<JumpingErrors*>(info->err);
    std::snprintf(errors->message, sizeof errors->message, "ended");
    std::longjmp(errors->back, 1);
  }
  static void skip(j_decompress_ptr info, long count) {
    if (count <= 0) return;
    if (static_cast<size_t>(count) > info->src->bytes_in_buffer) fill(info);
    info->src->next_input_byte += count;
    info->src->bytes_in_buffer -= static_cast<size_t>(count);
  }
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) {
    info_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = JumpingErrors::exit;
    errors_.base.emit_message = JumpingErrors::warn;
    if (!try_create()) fail();
    progress_.progress_monitor = JumpingErrors::count_scans;
    info_.progress = &progress_;
    source_.base.next_input_byte = bytes.data();
    source_.base.bytes_in_buffer = bytes.size();
    source_.base.init_source = MemorySource::nothing;
    source_.base.fill_input_buffer = MemorySource::fill;
    source_.base.skip_input_data = MemorySource::skip;
    source_.base.resync_to_restart = jpeg_resync_to_restart;
    source_.base.term_source = MemorySource::nothing;
    info_.src = &source_.base;
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() {
    jpeg_destroy_decompress(&info_);
    std::free(profile_);
  }

  jpeg_decompress_struct& info() { return info_; }

  void read_header(bool with_markers) {
    if (!try_header(with_markers)) fail();
  }

  void start(J_COLOR_SPACE colours, unsigned eighths) {
    if (!try_start(colours, eighths)) fail();
  }
  /// Narrows what is decoded to these columns, or to a few more: `left` and `width` become what it is.
  void crop(JDIMENSION& left, JDIMENSION& width) {
    if (!try_crop(left, width)) fail();
  }
  /// The rows `top` to `top` + `height`, with the columns that crop() left, and behind them room for one more.
  void read_into(uint8_t* pixels, size_t row_bytes, JDIMENSION top, JDIMENSION height) {
    if (!try_read(pixels, row_bytes, top, height)) fail();
    if (errors_.damaged) throw Error("is damaged: a part of its data is missing");
  }

  std::span<const uint8_t> exif() const {
    for (auto* m = info_.marker_list; m; m = m->next)
      if (m->marker == JPEG_APP0 + 1 && has_text_at({m->data, m->data_length}, 0, {"Exif\0\0", 6}))
        return {m->data, m->data_length};
    return {};
  }
  int orientation() const { return exif_orientation(exif()); }
  std::vector<uint8_t> profile() {
    if (!try_profile() || !profile_) return {};
    return {profile_, profile_ + profile_bytes_};
  }

 private:
  bool try_create() {
    if (setjmp(errors_.back)) return false;
    jpeg_create_decompress(&info_);
    return true;
  }
  bool try_header(bool with_markers) {
    if (setjmp(errors_.back)) return false;
    if (with_markers) {
      jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xffff);
      jpeg_save_markers(&info_, JPEG_APP0 + 2, 0xffff);
    }
    jpeg_read_header(&info_, TRUE);
    return true;
  }
  bool try_start(J_COLOR_SPACE colours, unsigned eighths) {
    if (setjmp(errors_.back)) return false;
    info_.out_color_space = colours;
    info_.scale_num = eighths;
    info_.scale_denom = 8;
    jpeg_start_decompress(&info_);
    return true;
  }
  bool try_crop(JDIMENSION& left, JDIMENSION& width) {
    if (setjmp(errors_.back)) return false;
    jpeg_crop_scanline(&info_, &left, &width);
    return true;
  }
  bool try_read(uint8_t* pixels, size_t row_bytes, JDIMENSION top, JDIMENSION height) {
    if (setjmp(errors_.back)) return false;
    if (top > 0) jpeg_skip_scanlines(&info_, top);
    while (info_.output_scanline < top + height) {
      JSAMPROW row = pixels + (info_.output_scanline - top) * row_bytes;
      jpeg_read_scanlines(&info_, &row, 1);
    }
    // What is skipped up to the end is not looked at: the last row is read, so that all before it is.
    if (info_.output_scanline < info_.output_height) {
      if (const JDIMENSION rest = info_.output_height - info_.output_scanline; rest > 1)
        jpeg_skip_scanlines(&info_, rest - 1);
      JSAMPROW row = pixels + height * row_bytes;
      jpeg_read_scanlines(&info_, &row, 1);
    }
    return true;
  }
  bool try_profile() {
    if (setjmp(errors_.back)) return false;
    return jpeg_read_icc_profile(&info_, &profile_, &profile_bytes_) != 0;
  }
  [[noreturn]] void fail() const {
    if (source_.ended) throw Error("is truncated");
    if (info_.data_precision != 0 && info_.data_precision != 8)
      throw Error("is a JPEG with " + std::to_string(info_.data_precision) + " bits a channel, of which 8 are read",
                  "convert it");
    throw Error("cannot be decoded: " + std::string(errors_.message));
  }

  jpeg_decompress_struct info_{};
  JumpingErrors errors_{};
  MemorySource source_{};
  jpeg_progress_mgr progress_{};
  JOCTET* profile_ = nullptr;
  unsigned profile_bytes_ = 0;
};

/// The scales that the SIMD code of libjpeg-turbo has.
unsigned eighths_for(int64_t shorter, int64_t least_side) {
  if (least_side > 0)
    for (const unsigned eighths : {1u, 2u, 4u})
      if (shorter * eighths / 8 >= least_side) return eighths;
  return 8;
}

/// The pixels of an interval and those beside it: the first, and how many.
std::pair<JDIMENSION, JDIMENSION> pixels_of(double from, double to, double scale, JDIMENSION all) {
  const auto at = [&](double place, double beside) {
    return static_cast<JDIMENSION>(std::clamp(place * scale + beside, 0.0, static_cast<double>(all)));
  };
  const JDIMENSION first = std::min(at(std::floor(from), -DecodeRequest::kBeside - kInterpolated), all - 1),
                   last = at(std::ceil(to), DecodeRequest::kBeside + kInterpolated + 1);
  return {first, std::max(last, first + 1) - first};
}

class Jpeg final : public Codec {
 public:
  std::string_view name() const override { return "JPEG"; }
  bool recognises(std::span<const uint8_t> bytes) const override { return has_text_at(bytes, 0, "\xff\xd8\xff"); }

  PictureHeader header(std::span<const uint8_t> bytes) const override {
    Reader reader(bytes);
    reader.read_header(true);
    return {reader.info().image_width, reader.info().image_height, reader.orientation()};
  }
  std::vector<uint8_t> exif(std::span<const uint8_t> bytes) const override {
    Reader reader(bytes);
    reader.read_header(true);
    const auto block = reader.exif();
    return {block.begin(), block.end()};
  }
  bool decodes_parts() const override { return true; }

  RawPicture decode(std::span<const uint8_t> bytes, const DecodeRequest& request) const override {
    Reader reader(bytes);
    reader.read_header(true);
    const jpeg_decompress_struct& info = reader.info();
    RawPicture picture;
    const bool cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
    picture.kind = cmyk ? RawPicture::Kind::cmyk : RawPicture::Kind::rgb;
    picture.grey = info.jpeg_color_space == JCS_GRAYSCALE;
    picture.orientation = reader.orientation();
    picture.profile = reader.profile();
    const unsigned eighths = eighths_for(std::min(info.image_width, info.image_height), request.least_side);
    picture.part = eighths / 8.0;
    reader.start(cmyk ? JCS_CMYK : JCS_RGB, eighths);
    picture.all_width = info.output_width;
    picture.all_height = info.output_height;
    JDIMENSION left = 0, top = 0, width = info.output_width, height = info.output_height;
    if (request.part) {
      std::tie(left, width) = pixels_of(request.part->left, request.part->right, picture.part, width);
      std::tie(top, height) = pixels_of(request.part->top, request.part->bottom, picture.part, height);
      if (width < info.output_width) reader.crop(left, width);
    }
    picture.left = left;
    picture.top = top;
    picture.width = info.output_width;
    picture.height = height;
    const size_t row_bytes = static_cast<size_t>(picture.width) * (cmyk ? 4 : 3);
    const bool more = top + height < info.output_height;
    picture.pixels.resize(row_bytes * (height + (more ? 1 : 0)));
    reader.read_into(picture.pixels.data(), row_bytes, top, height);
    picture.pixels.resize(row_bytes * height);
    return picture;
  }
};

}  // namespace

CodecPtr make_jpeg_codec() { return std::make_unique<Jpeg>(); }

}  // namespace graft

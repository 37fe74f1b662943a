#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <libheif/heif.h>

#include "augment/codecs/bytes.h"
#include "augment/codecs/codec.h"
#include "runtime/core/error.h"
#include "runtime/core/shared_library.h"

namespace graft {
namespace {

struct Library {
  SharedLibrary library{GRAFT_HEIF_LIBRARY, "HEIC and AVIF pictures"};
#define GRAFT_FUNCTION(name) decltype(&::name) name = library.function<decltype(::name)>(#name)
  GRAFT_FUNCTION(heif_context_alloc);
  GRAFT_FUNCTION(heif_context_free);
  GRAFT_FUNCTION(heif_context_read_from_memory_without_copy);
  GRAFT_FUNCTION(heif_context_get_primary_image_handle);
  GRAFT_FUNCTION(heif_image_handle_release);
  GRAFT_FUNCTION(heif_image_handle_get_width);
  GRAFT_FUNCTION(heif_image_handle_get_height);
  GRAFT_FUNCTION(heif_image_handle_has_alpha_channel);
  GRAFT_FUNCTION(heif_image_handle_get_color_profile_type);
  GRAFT_FUNCTION(heif_image_handle_get_raw_color_profile_size);
  GRAFT_FUNCTION(heif_image_handle_get_raw_color_profile);
  GRAFT_FUNCTION(heif_image_handle_get_list_of_metadata_block_IDs);
  GRAFT_FUNCTION(heif_image_handle_get_metadata_size);
  GRAFT_FUNCTION(heif_image_handle_get_metadata);
  GRAFT_FUNCTION(heif_decode_image);
  GRAFT_FUNCTION(heif_image_release);
  GRAFT_FUNCTION(heif_image_get_width);
  GRAFT_FUNCTION(heif_image_get_height);
  GRAFT_FUNCTION(heif_image_get_plane_readonly);
#undef GRAFT_FUNCTION
};

const Library& lib() {
  static const Library opened;
  return opened;
}

void check(const heif_error& error) {
  if (error.code == heif_error_Ok) return;
  const std::string text = error.message ? error.message : "the HEIF data is damaged";
  if (error.subcode == heif_suberror_End_of_data) throw Error("is truncated");
  throw Error("cannot be decoded: " + text);
}

/// A file and its main picture.
class Opened {
 public:
  explicit Opened(std::span<const uint8_t> bytes) : context_(lib().heif_context_alloc(), lib().heif_context_free) {
    check(lib().heif_context_read_from_memory_without_copy(context_.get(), bytes.data(), bytes.size(), nullptr));
    heif_image_handle* handle = nullptr;
    check(lib().heif_context_get_primary_image_handle(context_.get(), &handle));
    handle_ = {handle, lib().heif_image_handle_release};
  }
  const heif_image_handle* picture() const { return handle_.get(); }
  /// Turned as the file says.
  PictureHeader size() const {
    return {lib().heif_image_handle_get_width(handle_.get()), lib().heif_image_handle_get_height(handle_.get())};
  }

 private:
  std::unique_ptr<heif_context, void (*)(heif_context*)> context_;
  std::unique_ptr<heif_image_handle, void (*)(const heif_image_handle*)> handle_{nullptr, nullptr};
};

class Heif final : public Codec {
 public:
  std::string_view name() const override { return "HEIC, AVIF"; }
  bool recognises(std::span<const uint8_t> bytes) const override {
    if (!has_text_at(bytes, 4, "ftyp") || bytes.size() < 12) return false;
    constexpr std::array<std::string_view, 12> kBrands{"heic", "heix", "heim", "heis", "hevc", "hevx",
                                                       "mif1", "mif2", "msf1", "avif", "avis", "miaf"};
    // The main brand, or one that the file says it is compatible with.
    const size_t end = std::min<size_t>({big_endian(bytes, 0, 4), bytes.size(), 256});
    for (size_t at = 8; at + 4 <= end; at += at == 8 ? 8 : 4)
      if (std::any_of(kBrands.begin(), kBrands.end(), [&](std::string_view b) { return has_text_at(bytes, at, b); }))
        return true;
    return false;
  }

  PictureHeader header(std::span<const uint8_t> bytes) const override { return Opened(bytes).size(); }

  std::vector<uint8_t> exif(std::span<const uint8_t> bytes) const override {
    const Opened file(bytes);
    heif_item_id block = 0;
    if (lib().heif_image_handle_get_list_of_metadata_block_IDs(file.picture(), "Exif", &block, 1) != 1) return {};
    std::vector<uint8_t> data(lib().heif_image_handle_get_metadata_size(file.picture(), block));
    if (data.size() < 4) return {};
    check(lib().heif_image_handle_get_metadata(file.picture(), block, data.data()));
    // Four bytes say how far behind them the TIFF header stands. [ISO/IEC 23008-12, A.2.1]
    const size_t skipped = size_t{4} + big_endian(data, 0, 4);
    if (skipped > data.size()) return {};
    return {data.begin() + static_cast<std::ptrdiff_t>(skipped), data.end()};
  }

  RawPicture decode(std::span<const uint8_t> bytes, const DecodeRequest&) const override {
    const Opened file(bytes);
    const bool alpha = lib().heif_image_handle_has_alpha_channel(file.picture()) != 0;
    heif_image* decoded = nullptr;
    check(lib().heif_decode_image(file.picture(), &decoded, heif_colorspace_RGB,
                                  alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, nullptr));
    const std::unique_ptr<const heif_image, void (*)(const heif_image*)> release(decoded, lib().heif_image_release);
    RawPicture picture;
    picture.width = lib().heif_image_get_width(decoded, heif_channel_interleaved);
    picture.height = lib().heif_image_get_height(decoded, heif_channel_interleaved);
    picture.kind = alpha ? RawPicture::Kind::rgba : RawPicture::Kind::rgb;
    int stride = 0;
    const uint8_t* rows = lib().heif_image_get_plane_readonly(decoded, heif_channel_interleaved, &stride);
    if (!rows) throw Error("cannot be decoded: the HEIF data is damaged");
    const size_t row_bytes = static_cast<size_t>(picture.width) * (alpha ? 4 : 3);
    picture.pixels.resize(row_bytes * static_cast<size_t>(picture.height));
    for (int64_t y = 0; y < picture.height; ++y)
      std::memcpy(picture.pixels.data() + static_cast<size_t>(y) * row_bytes, rows + y * stride, row_bytes);
    const heif_color_profile_type type = lib().heif_image_handle_get_color_profile_type(file.picture());
    if (type == heif_color_profile_type_prof || type == heif_color_profile_type_rICC) {
      picture.profile.resize(lib().heif_image_handle_get_raw_color_profile_size(file.picture()));
      if (!picture.profile.empty())
        check(lib().heif_image_handle_get_raw_color_profile(file.picture(), picture.profile.data()));
    }
    return picture;  // upright already
  }
};

}  // namespace

CodecPtr make_heif_codec() { return std::make_unique<Heif>(); }

}  // namespace graft

#include "augment/encode.h"

#include <algorithm>
#include <cctype>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include <jpeglib.h>
#include <spng.h>

#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

using Encoded = std::unique_ptr<uint8_t, void (*)(void*)>;

void write(const std::string& path, const uint8_t* bytes, size_t size) {
  write_atomically(path, [&](std::ostream& stream) {
    stream.write(reinterpret_cast<const char*>(bytes), static_cast<std::streamsize>(size));
  });
}

void write_png(const Image& image, const std::string& path) {
  const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(SPNG_CTX_ENCODER), spng_ctx_free);
  if (!context) throw Error("there is no memory to encode it", {}, ErrorCode::out_of_memory);
  spng_ihdr header{};
  header.width = static_cast<uint32_t>(image.width);
  header.height = static_cast<uint32_t>(image.height);
  header.bit_depth = 8;
  header.color_type = SPNG_COLOR_TYPE_TRUECOLOR;
  const auto check = [&](int status) {
    if (status != 0) throw Error(path + ": cannot be encoded: " + spng_strerror(status), {}, ErrorCode::internal);
  };
  check(spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1));
  check(spng_set_ihdr(context.get(), &header));
  check(spng_encode_image(context.get(), image.pixels.data(), image.pixels.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE));
  size_t size = 0;
  int status = 0;
  const Encoded bytes(static_cast<uint8_t*>(spng_get_png_buffer(context.get(), &size, &status)), std::free);
  check(status);
  write(path, bytes.get(), size);
}

/// libjpeg's errors must not return: this jumps back, past nothing that has a destructor.
struct JumpingErrors {
  jpeg_error_mgr base;
  std::jmp_buf back;
};

bool encode_jpeg(const Image& image, int quality, unsigned char*& bytes, unsigned long& size) {
  jpeg_compress_struct info{};
  JumpingErrors errors{};
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = [](j_common_ptr failed) {
    std::longjmp(reinterpret_cast<JumpingErrors*>(failed->err)->back, 1);
  };
  if (setjmp(errors.back)) {
    jpeg_destroy_compress(&info);
    bytes = nullptr;  // what the destination had is not known here
    return false;
  }
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = const_cast<uint8_t*>(image.row(info.next_scanline));
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  return true;
}

}  // namespace

std::vector<uint8_t> jpeg_of(const Image& image, int quality) {
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  const bool done = encode_jpeg(image, quality, bytes, size);
  const Encoded owned(bytes, std::free);
  if (!done)
    throw Error(
        "a picture of " + std::to_string(image.width) + "×" + std::to_string(image.height) + " does not go into a JPEG",
        "end the name in .png");
  return {bytes, bytes + size};
}

void write_image(const Image& image, const std::string& path) {
  const auto dot = path.rfind('.');
  std::string extension = dot == std::string::npos ? "" : path.substr(dot);
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (extension == ".png")
    write_png(image, path);
  else if (extension == ".jpg" || extension == ".jpeg")
    with_place([&] { return path; },
               [&] {
                 const std::vector<uint8_t> bytes = jpeg_of(image);
                 write(path, bytes.data(), bytes.size());
               });
  else
    throw Error(path + ": unknown picture format", "end the name in .png or .jpg");
}

}  // namespace graft

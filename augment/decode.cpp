#include "augment/decode.h"

#include <filesystem>
#include <fstream>

#include "augment/data/tar_archive.h"
#include "augment/encoded_picture.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

constexpr std::streamoff kLargestFile = std::streamoff{1} << 30;

}  // namespace

std::vector<uint8_t> read_picture_file(const std::string& path) {
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (!std::filesystem::exists(status))
    if (const auto inside = path_in_tar(path)) return read_from_tar(*inside);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    throw Error(std::filesystem::is_directory(status) ? "is a folder" : "is no file");
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) throw Error("cannot be opened", {}, ErrorCode::not_found);
  const std::streamoff size = stream.tellg();
  if (size <= 0) throw Error("is empty");
  if (size > kLargestFile) throw Error("is larger than 1 GiB");
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  stream.seekg(0);
  if (!stream.read(reinterpret_cast<char*>(bytes.data()), size)) throw Error("cannot be read", {}, ErrorCode::io);
  return bytes;
}

Image decode_image(std::span<const uint8_t> bytes, const DecodeOptions& options) {
  return EncodedPicture(bytes, options).decode();
}

Image decode_image(const std::string& path, const DecodeOptions& options) {
  return EncodedPicture(path, options).decode();
}

}  // namespace graft

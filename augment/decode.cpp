#include "augment/decode.h"

#include <algorithm>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "augment/image_header.h"
#include "runtime/core/atomic_file.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

constexpr int64_t kLargestPixels = 100'000'000;
constexpr std::streamoff kLargestFile = std::streamoff{1} << 30;

std::vector<uint8_t> read_file(const std::string& path) {
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

/// A baseline JPEG without its end was cut off; OpenCV would fill the rest with grey and say nothing.
bool is_truncated_jpeg(const std::vector<uint8_t>& bytes) {
  const size_t window = std::min<size_t>(bytes.size(), 4096);
  for (size_t i = bytes.size() - window; i + 1 < bytes.size(); ++i)
    if (bytes[i] == 0xff && bytes[i + 1] == 0xd9) return false;
  return true;
}

}  // namespace

Image decode_image(const std::string& path) {
  return with_place([&] { return path; },
                    [&] {
                      return with_code(ErrorCode::corrupt_file, [&] {
                        const std::vector<uint8_t> bytes = read_file(path);
                        const auto header = read_image_header(bytes);
                        if (!header) throw Error("is not a JPEG, PNG, BMP, TIFF, WebP or PNM picture");
                        if (header->width <= 0 || header->height <= 0) throw Error("has no pixels");
                        if (header->width * header->height > kLargestPixels) {
                          throw Error("is " + std::to_string(header->width) + "×" + std::to_string(header->height) +
                                      ", over the limit of 100 megapixels");
                        }
                        if (header->format == "JPEG" && is_truncated_jpeg(bytes)) throw Error("is truncated");
                        cv::Mat decoded;
                        try {
                          decoded = cv::imdecode(bytes, cv::IMREAD_COLOR);
                        } catch (const std::exception&) {
                          decoded.release();
                        }
                        if (decoded.empty())
                          throw Error("cannot be decoded: the " + std::string(header->format) + " data is damaged");
                        Image image(decoded.cols, decoded.rows);
                        cv::Mat rgb(decoded.rows, decoded.cols, CV_8UC3, image.pixels.data());
                        cv::cvtColor(decoded, rgb, cv::COLOR_BGR2RGB);
                        return image;
                      });
                    });
}

void write_image(const Image& image, const std::string& path) {
  const auto dot = path.rfind('.');
  std::string extension = dot == std::string::npos ? "" : path.substr(dot);
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (extension != ".png" && extension != ".jpg" && extension != ".jpeg")
    throw Error(path + ": unknown picture format", "end the name in .png or .jpg");
  const cv::Mat rgb(static_cast<int>(image.height), static_cast<int>(image.width), CV_8UC3,
                    const_cast<uint8_t*>(image.pixels.data()));
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  std::vector<uint8_t> bytes;
  cv::imencode(extension, bgr, bytes);
  write_atomically(path, [&](std::ostream& stream) {
    stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  });
}

}  // namespace graft

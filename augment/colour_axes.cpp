#include "augment/colour_axes.h"

#include <memory>
#include <opencv2/core.hpp>
#include <optional>
#include <utility>

#include "augment/decode.h"
#include "augment/pixels/resize.h"
#include "runtime/core/error.h"

namespace graft {

ColourAxes measure_colour_axes(const std::vector<std::string>& paths, size_t limit) {
  constexpr int64_t kSide = 64;
  const size_t step = std::max<size_t>(1, paths.size() / std::max<size_t>(limit, 1));
  double count = 0, sum[3] = {}, product[3][3] = {};
  for (size_t i = 0; i < paths.size(); i += step) {
    Image image;
    try {
      image = decode_image(paths[i], {.least_side = kSide});
    } catch (const Error&) {
      continue;  // the loader will name it
    }
    const Image small = resize(image, whole(image), kSide, kSide);
    for (size_t p = 0; p < small.pixels.size(); p += 3) {
      double v[3];
      for (size_t c = 0; c < 3; ++c) {
        v[c] = small.pixels[p + c] / 255.0;
        sum[c] += v[c];
      }
      for (size_t a = 0; a < 3; ++a)
        for (size_t b = 0; b < 3; ++b) product[a][b] += v[a] * v[b];
      count += 1;
    }
  }
  if (count < 2)
    throw Error("no picture could be read to measure the colours of the training set", {}, ErrorCode::bad_data);
  cv::Mat covariance(3, 3, CV_64F), values, vectors;
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b) covariance.at<double>(a, b) = (product[a][b] - sum[a] * sum[b] / count) / (count - 1);
  cv::eigen(covariance, values, vectors);  // rows are eigenvectors, largest eigenvalue first
  ColourAxes axes;
  for (int k = 0; k < 3; ++k) {
    axes.values[static_cast<size_t>(k)] = static_cast<float>(values.at<double>(k));
    for (int c = 0; c < 3; ++c)
      axes.vectors[static_cast<size_t>(c)][static_cast<size_t>(k)] = static_cast<float>(vectors.at<double>(k, c));
  }
  return axes;
}

std::function<ColourAxes()> colour_axes_of(std::vector<std::string> paths, size_t limit) {
  return [paths = std::move(paths), limit, measured = std::make_shared<std::optional<ColourAxes>>()] {
    if (!*measured) *measured = measure_colour_axes(paths, limit);
    return **measured;
  };
}

}  // namespace graft

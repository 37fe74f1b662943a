#include "augment/pixels/warp.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "augment/pixels/resize.h"
#include "augment/pixels/row_sampler.h"

namespace graft {
namespace {

constexpr float kNowhere = std::numeric_limits<float>::quiet_NaN();

/// The map that takes (0,0), (1,0), (1,1), (0,1) to the corners of a quadrilateral. [Heckbert 1989, section 2.2.3]
Matrix3 from_unit_square(const std::array<Place, 4>& q) {
  const double dx1 = q[1].x - q[2].x, dx2 = q[3].x - q[2].x, dx3 = q[0].x - q[1].x + q[2].x - q[3].x,
               dy1 = q[1].y - q[2].y, dy2 = q[3].y - q[2].y, dy3 = q[0].y - q[1].y + q[2].y - q[3].y;
  const double area = dx1 * dy2 - dx2 * dy1, g = (dx3 * dy2 - dx2 * dy3) / area, h = (dx1 * dy3 - dx3 * dy1) / area;
  return {{q[1].x - q[0].x + g * q[1].x, q[3].x - q[0].x + h * q[3].x, q[0].x, q[1].y - q[0].y + g * q[1].y,
           q[3].y - q[0].y + h * q[3].y, q[0].y, g, h, 1}};
}

void map_row(const Matrix3& a, size_t count, float* xs, float* ys) {
  const bool affine = a.m[6] == 0 && a.m[7] == 0;
  std::array<float, 9> m{};
  for (size_t i = 0; i < 9; ++i) m[i] = static_cast<float>(a.m[i] / (affine ? a.m[8] : 1));
  for (size_t i = 0; i < count; ++i) {
    const float x = xs[i], y = ys[i];
    xs[i] = m[0] * x + m[1] * y + m[2];
    ys[i] = m[3] * x + m[4] * y + m[5];
    if (affine) continue;
    const float w = m[6] * x + m[7] * y + m[8];
    xs[i] = w > 0 ? xs[i] / w : kNowhere;  // behind the viewer there is nothing
    ys[i] = w > 0 ? ys[i] / w : kNowhere;
  }
}

void map_row(const RadialDistortion& d, size_t count, float* xs, float* ys) {
  const auto cx = static_cast<float>(d.centre.x), cy = static_cast<float>(d.centre.y),
             scale = static_cast<float>(1 / (d.radius * d.radius)), k1 = static_cast<float>(d.k1),
             k2 = static_cast<float>(d.k2);
  for (size_t i = 0; i < count; ++i) {
    const float x = xs[i] - cx, y = ys[i] - cy, r2 = (x * x + y * y) * scale;
    const float factor = 1 + r2 * (k1 + r2 * k2);
    xs[i] = cx + x * factor;
    ys[i] = cy + y * factor;
  }
}

double distance(Place a, Place b) { return std::hypot(a.x - b.x, a.y - b.y); }

}  // namespace

Matrix3 Matrix3::rotation(double radians) {
  const double c = std::cos(radians), s = std::sin(radians);
  return {{c, -s, 0, s, c, 0, 0, 0, 1}};
}

Matrix3 Matrix3::inverse() const {
  return {{m[4] * m[8] - m[5] * m[7], m[2] * m[7] - m[1] * m[8], m[1] * m[5] - m[2] * m[4], m[5] * m[6] - m[3] * m[8],
           m[0] * m[8] - m[2] * m[6], m[2] * m[3] - m[0] * m[5], m[3] * m[7] - m[4] * m[6], m[1] * m[6] - m[0] * m[7],
           m[0] * m[4] - m[1] * m[3]}};
}

Matrix3 Matrix3::between(const std::array<Place, 4>& from, const std::array<Place, 4>& to) {
  Matrix3 result = from_unit_square(to) * from_unit_square(from).inverse();
  const double scale = result.m[8];  // in front of the viewer at the first corner, whatever sign the inverse has
  for (double& v : result.m) v /= scale;
  return result;
}

Matrix3 Matrix3::about(Place origin) const {
  return translation(origin.x, origin.y) * *this * translation(-origin.x, -origin.y);
}

Matrix3 operator*(const Matrix3& second, const Matrix3& first) {
  Matrix3 product;
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j) {
      double sum = 0;
      for (size_t k = 0; k < 3; ++k) sum += second.m[3 * i + k] * first.m[3 * k + j];
      product.m[3 * i + j] = sum;
    }
  return product;
}

void Warp::append(const Matrix3& back) {
  if (Matrix3* last = steps_.empty() ? nullptr : std::get_if<Matrix3>(&steps_.back()))
    *last = *last * back;
  else
    steps_.emplace_back(back);
}

void Warp::append(const RadialDistortion& back) { steps_.emplace_back(back); }

void Warp::append(const Warp& back) {
  for (const auto& step : back.steps_) std::visit([&](const auto& map) { append(map); }, step);
}

Place Warp::source_of(Place result) const {
  float x = 0, y = 0;
  sources_of_row(result.x, result.y, 1, &x, &y);
  return {x, y};
}

void Warp::sources_of_row(double x, double y, size_t count, float* xs, float* ys) const {
  for (size_t i = 0; i < count; ++i) xs[i] = static_cast<float>(x) + static_cast<float>(static_cast<int32_t>(i));
  std::fill_n(ys, count, static_cast<float>(y));
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step)
    std::visit([&](const auto& map) { map_row(map, count, xs, ys); }, *step);
}

Image warped(const Image& source, const Warp& warp, int64_t width, int64_t height, const Sampling& sampling) {
  // How many of the source's pixels stand under one of the result's, along its rows and its columns, in the middle.
  const Place middle{static_cast<double>(width) / 2, static_cast<double>(height) / 2};
  const Place from = warp.source_of(middle);
  const double across = distance(from, warp.source_of({middle.x + 1, middle.y})),
               down = distance(from, warp.source_of({middle.x, middle.y + 1})),
               least = std::min({across, down, static_cast<double>(std::min(source.width, source.height))});
  const bool filtered = sampling.interpolation != Interpolation::nearest && std::isfinite(across + down);
  if (filtered && least >= 8) {
    const double factor = std::floor(least / 4), own_width = static_cast<double>(source.width),
                 own_height = static_cast<double>(source.height), smaller_width = std::ceil(own_width / factor),
                 smaller_height = std::ceil(own_height / factor);
    Warp rest;
    rest.append(Matrix3::scaling(smaller_width / own_width, smaller_height / own_height));
    rest.append(warp);
    return warped(averaged(source, static_cast<int64_t>(smaller_width), static_cast<int64_t>(smaller_height)), rest,
                  width, height, sampling);
  }
  const auto places = [&](double pixels) {
    return filtered ? static_cast<int>(std::clamp(std::ceil(pixels - 0.25), 1.0, 16.0)) : 1;
  };
  const int columns = places(across), rows = places(down);
  const auto count = static_cast<size_t>(width);
  std::vector<float> xs(count), ys(count);
  RowSampler sampler(source, width, sampling);
  Image result(width, height);
  for (int64_t y = 0; y < height; ++y) {
    sampler.clear();
    for (int row = 0; row < rows; ++row)
      for (int column = 0; column < columns; ++column) {
        warp.sources_of_row((column + 0.5) / columns, static_cast<double>(y) + (row + 0.5) / rows, count, xs.data(),
                            ys.data());
        sampler.add(xs.data(), ys.data());
      }
    sampler.write(columns * rows, result.row(y));
  }
  return result;
}

}  // namespace graft

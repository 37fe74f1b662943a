#pragma once

#include <array>
#include <cstdint>
#include <variant>
#include <vector>

#include "augment/pixels/image.h"
#include "graft/preprocessing.h"

namespace graft {

/// A place in a picture: pixel i covers i to i + 1, its centre is i + ½.
struct Place {
  double x = 0, y = 0;
};

/// A projective map of places, row-major, on homogeneous coordinates.
struct Matrix3 {
  std::array<double, 9> m{1, 0, 0, 0, 1, 0, 0, 0, 1};
  static Matrix3 translation(double x, double y) { return {{1, 0, x, 0, 1, y, 0, 0, 1}}; }
  static Matrix3 scaling(double x, double y) { return {{x, 0, 0, 0, y, 0, 0, 0, 1}}; }
  /// Turns the x axis towards the y axis.
  static Matrix3 rotation(double radians);
  /// x += `x`·y and y += `y`·x.
  static Matrix3 shear(double x, double y) { return {{1, x, 0, y, 1, 0, 0, 0, 1}}; }
  /// The one that takes the corners of a quadrilateral to those of another, in their order. Where there is none, since
  /// three of them lie on a line, its values are not finite.
  static Matrix3 between(const std::array<Place, 4>& from, const std::array<Place, 4>& to);
  /// The way back, up to a factor, which homogeneous coordinates do not have.
  Matrix3 inverse() const;
  /// The same map with its origin moved.
  Matrix3 about(Place origin) const;
};

/// `first` and then `second`.
Matrix3 operator*(const Matrix3& second, const Matrix3& first);

/// p ← c + (p - c)(1 + k1·r² + k2·r⁴), r the distance from c in units of `radius`. [Brown 1966]
struct RadialDistortion {
  Place centre;
  double radius = 1, k1 = 0, k2 = 0;
};

/// Where each place of a result comes from: maps carried out one after the other, of which a picture is sampled once.
class Warp {
 public:
  /// What was the result so far is warped again: `back` takes places of the new result to places of the old.
  void append(const Matrix3& back);
  void append(const RadialDistortion& back);
  void append(const Warp& back);
  Place source_of(Place result) const;
  /// The sources of `count` places of a row: x, x + 1, …; not a number where there is none.
  void sources_of_row(double x, double y, size_t count, float* xs, float* ys) const;

 private:
  std::vector<std::variant<Matrix3, RadialDistortion>> steps_;  // the last is carried out first
};

/// How pixels between pixels, and pixels outside, are made.
struct Sampling {
  Interpolation interpolation = Interpolation::bilinear;
  std::array<uint8_t, 3> fill{124, 116, 104};  // beside the picture
};

/// The width × height picture whose pixels a warp takes from `source`: bilinear (nearest where the sampling says so),
/// as Pillow's Image.transform. Where a result's pixel covers more than one of the source's (by what the middle tells),
/// up to 16 × 16 places in it are averaged, from eight pixels on after the source itself was.
Image warped(const Image& source, const Warp& warp, int64_t width, int64_t height, const Sampling& sampling);

}  // namespace graft

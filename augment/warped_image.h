#pragma once

#include <optional>

#include "augment/image.h"
#include "augment/resize.h"
#include "augment/warp.h"

namespace graft {

/// A picture on its way through transforms. What moves its pixels is only noted: pixels() carries all of it out at
/// once, so that a picture is sampled once however many transforms move it.
class WarpedImage {
 public:
  explicit WarpedImage(Image image);
  /// As the next transform sees it. A picture that was decoded at a part of its size has the size that it stands for.
  int64_t width() const { return width_; }
  int64_t height() const { return height_; }
  Place centre() const { return {static_cast<double>(width_) / 2, static_cast<double>(height_) / 2}; }

  /// Becomes what stands in `kept` after `part` was resized to width × height. Alone it is resize_window(), pixel for
  /// pixel; together with warps it is one of them.
  void resize(const Box& part, int64_t width, int64_t height, const Window& kept, const Sampling& sampling);
  /// Becomes a picture of the same size, each of whose places comes from `back` of that place.
  void warp(const Matrix3& back, const Sampling& sampling);
  void warp(const RadialDistortion& back, const Sampling& sampling);
  /// No pixel moves: whoever reads them last does so the other way round.
  void flip_left_right();
  void flip_top_bottom();

  /// As they lie: Image::mirrored and upside_down say what is meant. For what treats pixels alike wherever they are.
  Image& pixels();
  /// Where they are meant to be.
  Image& upright_pixels();

 private:
  struct Resizing {
    Box part;  // of image_'s pixels
    int64_t width, height;
    Window kept;
    Sampling sampling;
  };
  /// Makes what is noted a part of warp_.
  void begin_warp(const Sampling& sampling);

  Image image_;             // its turns are the result's
  int64_t width_, height_;  // the result's
  std::optional<Resizing> resizing_;
  std::optional<Warp> warp_;  // from the result's places to image_'s pixels
  Sampling sampling_;
};

}  // namespace graft

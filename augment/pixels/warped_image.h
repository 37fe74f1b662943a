#pragma once

#include <memory>
#include <optional>

#include "augment/encoded_picture.h"
#include "augment/pixels/image.h"
#include "augment/pixels/resize.h"
#include "augment/pixels/warp.h"

namespace graft {

/// A picture on its way through transforms. What moves its pixels is only noted: pixels() carries all of it out at
/// once, so that a picture is sampled once however many transforms move it, and of a file only what a crop needs is
/// decoded.
class WarpedImage {
 public:
  explicit WarpedImage(Image image);
  /// Its pixels are copied if something changes them before they are resized. `image` is upright.
  explicit WarpedImage(std::shared_ptr<const Image> image);
  /// What reads its pixels throws as EncodedPicture::decode().
  explicit WarpedImage(EncodedPicture picture);
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
    Box part;                         // of the source's full size
    int64_t from_width, from_height;  // which is this
    int64_t width, height;
    Window kept;
    Sampling sampling;
  };
  /// The source's pixels, upright.
  const Image& source();
  /// Makes them image_'s, where they can be changed.
  void own_source();
  /// Makes what is noted a part of warp_.
  void begin_warp(const Sampling& sampling);
  Image resized();

  Image image_;                          // its turns are the result's
  std::shared_ptr<const Image> shared_;  // the source, in place of image_'s pixels
  std::optional<EncodedPicture> encoded_;
  int64_t width_, height_;  // the result's
  std::optional<Resizing> resizing_;
  std::optional<Warp> warp_;  // from the result's places to image_'s pixels
  Sampling sampling_;
};

}  // namespace graft

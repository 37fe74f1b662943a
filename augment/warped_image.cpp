#include "augment/warped_image.h"

#include <utility>

namespace graft {
namespace {

/// From places of what was resized and cut to places of the picture that `part` is part of.
Matrix3 back_from(const Box& part, int64_t width, int64_t height, const Window& kept) {
  return Matrix3::translation(part.left, part.top) *
         Matrix3::scaling((part.right - part.left) / static_cast<double>(width),
                          (part.bottom - part.top) / static_cast<double>(height)) *
         Matrix3::translation(static_cast<double>(kept.left), static_cast<double>(kept.top));
}

}  // namespace

WarpedImage::WarpedImage(Image image)
    : image_(std::move(image)), width_(image_.meant_width()), height_(image_.meant_height()) {}

void WarpedImage::resize(const Box& part, int64_t width, int64_t height, const Window& kept, const Sampling& sampling) {
  if (resizing_ || warp_) {
    begin_warp(sampling);
    warp_->append(back_from(part, width, height, kept));
  } else {
    image_ = upright(std::move(image_));
    const Box all = whole(image_);
    const auto across = [&](double x) { return all.left + x * (all.right - all.left) / static_cast<double>(width_); };
    const auto down = [&](double y) { return all.top + y * (all.bottom - all.top) / static_cast<double>(height_); };
    resizing_ = {
        {across(part.left), down(part.top), across(part.right), down(part.bottom)}, width, height, kept, sampling};
  }
  width_ = kept.width;
  height_ = kept.height;
}

void WarpedImage::begin_warp(const Sampling& sampling) {
  if (!warp_) {
    warp_.emplace();
    if (resizing_) {
      warp_->append(back_from(resizing_->part, resizing_->width, resizing_->height, resizing_->kept));
    } else {
      image_ = upright(std::move(image_));
      warp_->append(back_from(whole(image_), width_, height_, {0, 0, width_, height_}));
    }
    resizing_.reset();
  }
  const auto turn = [](bool& turned, double extent) {
    return std::exchange(turned, false) ? std::pair{extent, -1.0} : std::pair{0.0, 1.0};
  };
  const auto [right, x] = turn(image_.mirrored, static_cast<double>(width_));
  const auto [bottom, y] = turn(image_.upside_down, static_cast<double>(height_));
  warp_->append(Matrix3::translation(right, bottom) * Matrix3::scaling(x, y));
  sampling_ = sampling;
}

void WarpedImage::warp(const Matrix3& back, const Sampling& sampling) {
  begin_warp(sampling);
  warp_->append(back);
}

void WarpedImage::warp(const RadialDistortion& back, const Sampling& sampling) {
  begin_warp(sampling);
  warp_->append(back);
}

void WarpedImage::flip_left_right() { image_.mirrored = !image_.mirrored; }
void WarpedImage::flip_top_bottom() { image_.upside_down = !image_.upside_down; }

Image& WarpedImage::pixels() {
  if (!resizing_ && !warp_) return image_;
  const bool mirrored = image_.mirrored, upside_down = image_.upside_down;
  image_ = warp_ ? warped(image_, *warp_, width_, height_, sampling_)
                 : resize_window(image_, resizing_->part, resizing_->width, resizing_->height, resizing_->kept,
                                 resizing_->sampling.interpolation);
  image_.mirrored = mirrored;
  image_.upside_down = upside_down;
  resizing_.reset();
  warp_.reset();
  return image_;
}

Image& WarpedImage::upright_pixels() {
  image_ = upright(std::move(pixels()));
  return image_;
}

}  // namespace graft

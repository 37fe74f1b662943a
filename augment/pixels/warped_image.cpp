#include "augment/pixels/warped_image.h"

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

/// A part of a picture of width × height, in pixels of what stands for `all` of it.
Box in_pixels(const Box& part, const Box& all, int64_t width, int64_t height) {
  const auto across = [&](double x) { return all.left + x * (all.right - all.left) / static_cast<double>(width); };
  const auto down = [&](double y) { return all.top + y * (all.bottom - all.top) / static_cast<double>(height); };
  return {across(part.left), down(part.top), across(part.right), down(part.bottom)};
}

}  // namespace

WarpedImage::WarpedImage(Image image)
    : image_(std::move(image)), width_(image_.meant_width()), height_(image_.meant_height()) {}

WarpedImage::WarpedImage(std::shared_ptr<const Image> image)
    : shared_(std::move(image)), width_(shared_->meant_width()), height_(shared_->meant_height()) {}

WarpedImage::WarpedImage(EncodedPicture picture)
    : encoded_(std::move(picture)), width_(encoded_->width()), height_(encoded_->height()) {
  if (!encoded_->decodes_parts()) *this = WarpedImage(encoded_->decode());
}

void WarpedImage::own_source() {
  if (!encoded_ && !shared_) return;
  const bool mirrored = image_.mirrored, upside_down = image_.upside_down;
  image_ = encoded_ ? encoded_->decode() : *shared_;
  image_.mirrored = mirrored;
  image_.upside_down = upside_down;
  encoded_.reset();
  shared_.reset();
}

const Image& WarpedImage::source() {
  if (shared_) return *shared_;
  own_source();
  return image_;
}

void WarpedImage::resize(const Box& part, int64_t width, int64_t height, const Window& kept, const Sampling& sampling) {
  if (resizing_ || warp_) {
    begin_warp(sampling);
    warp_->append(back_from(part, width, height, kept));
  } else {
    if (image_.mirrored || image_.upside_down) {
      own_source();
      image_ = upright(std::move(image_));
    }
    resizing_ = {part, width_, height_, width, height, kept, sampling};
  }
  width_ = kept.width;
  height_ = kept.height;
}

void WarpedImage::begin_warp(const Sampling& sampling) {
  if (!warp_) {
    warp_.emplace();
    if (resizing_) {
      const Resizing& r = *resizing_;
      warp_->append(
          back_from(in_pixels(r.part, whole(source()), r.from_width, r.from_height), r.width, r.height, r.kept));
    } else {
      if (image_.mirrored || image_.upside_down) own_source();
      image_ = upright(std::move(image_));
      warp_->append(back_from(whole(source()), width_, height_, {0, 0, width_, height_}));
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

Image WarpedImage::resized() {
  const Resizing& r = *resizing_;
  const Interpolation interpolation = r.sampling.interpolation;
  if (encoded_) {
    const ImagePart part = encoded_->decode(pixels_for_window(r.part, r.width, r.height, r.kept, interpolation));
    return resize_window(part, in_pixels(r.part, whole(part), r.from_width, r.from_height), r.width, r.height, r.kept,
                         interpolation);
  }
  const Image& from = source();
  return resize_window(from, in_pixels(r.part, whole(from), r.from_width, r.from_height), r.width, r.height, r.kept,
                       interpolation);
}

Image& WarpedImage::pixels() {
  if (!resizing_ && !warp_) {
    own_source();
    return image_;
  }
  const bool mirrored = image_.mirrored, upside_down = image_.upside_down;
  image_ = warp_ ? warped(source(), *warp_, width_, height_, sampling_) : resized();
  image_.mirrored = mirrored;
  image_.upside_down = upside_down;
  resizing_.reset();
  warp_.reset();
  encoded_.reset();
  shared_.reset();
  return image_;
}

Image& WarpedImage::upright_pixels() {
  image_ = upright(std::move(pixels()));
  return image_;
}

}  // namespace graft

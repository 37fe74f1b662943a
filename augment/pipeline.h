#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "augment/decode.h"
#include "augment/transforms/transform.h"

namespace graft {

/// The last step: value = (pixel·scale - mean) / std, channels in the network's order, height × width × channels
/// floats.
struct Normalisation {
  /// grey: one channel, ITU-R BT.601 luma as Pillow's convert("L") rounds it; takes the first mean and std.
  enum class Order : uint8_t { rgb, bgr, grey };
  float scale = 1.0f / 255;
  std::array<float, 3> mean{}, std{1, 1, 1};
  Order order = Order::rgb;
  int64_t channels() const { return order == Order::grey ? 1 : 3; }
};

/// File → picture → transforms → floats, channels-last. There may be several lists of transforms: as many views of each
/// picture come of it.
class Pipeline {
 public:
  using Transforms = std::vector<TransformPtr>;
  /// `decoding`: least_side follows from the transforms, or is 0 with `exact`: every pixel counts then.
  Pipeline(std::vector<Transforms> views, Normalisation normalisation, int64_t height, int64_t width,
           DecodeOptions decoding = {}, bool exact = false);
  Pipeline(Transforms transforms, Normalisation normalisation, int64_t height, int64_t width,
           DecodeOptions decoding = {}, bool exact = false);
  size_t views() const { return views_.size(); }
  int64_t height() const { return height_; }
  int64_t width() const { return width_; }
  int64_t channels() const { return normalisation_.channels(); }
  /// How files are to be decoded for it.
  const DecodeOptions& decoding() const { return decoding_; }
  /// The picture after a view's transforms, mirrored or upside down as they left it. Throws Error when they leave
  /// another size than height × width.
  Image transform(WarpedImage image, uint64_t random_key, size_t view = 0) const;
  Image transform(Image image, uint64_t random_key, size_t view = 0) const {
    return transform(WarpedImage(std::move(image)), random_key, view);
  }
  /// Writes height × width × channels floats, upright.
  void normalise(const Image& image, float* out) const;
  /// The same in two steps: writes height × width × channels bytes, as they lie; value = table()[channel·256 + byte].
  void pack(const Image& image, uint8_t* out) const;
  std::span<const float> table() const { return {table_[0].data(), static_cast<size_t>(channels()) * 256}; }

 private:
  std::vector<Transforms> views_;
  Normalisation normalisation_;
  int64_t height_, width_;
  DecodeOptions decoding_;
  std::array<std::array<float, 256>, 3> table_{};  // per output channel: pixel → value
};

}  // namespace graft

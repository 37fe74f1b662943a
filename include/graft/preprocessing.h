#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace graft {

/// How pixels are made of others: antialiased, but for `nearest`; each as Pillow's.
enum class Interpolation : uint8_t { nearest, bilinear, bicubic, lanczos };

/// How a picture of another shape than the network's input comes into it: its short side is resized and the middle cut
/// out; both sides are resized, then the middle cut out; or all of it is shrunk to fit, with bars beside it.
enum class Fit : uint8_t { crop, squash, letterbox };

/// How a decoded RGB picture becomes the network's input. Stored in the model file, so that training and use cannot
/// differ.
struct Preprocessing {
  enum class Colour : uint8_t { rgb, bgr, grey };  // grey: one channel of luma, with the first mean and std
  int64_t resize = 256;                            // short side in pixels (squash: both); 0: no resizing
  int64_t crop_height = 224, crop_width = 224;     // centre crop, in pixels
  Interpolation interpolation = Interpolation::bilinear;
  Fit fit = Fit::crop;
  bool always_resize = false;  // also a picture that has the crop's size already, which is otherwise left alone
  Colour colour = Colour::rgb;
  /// value = (pixel in 0…255 · scale - mean) / std, channel by channel in the network's own order
  float scale = 1.0f / 255;
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f}, std{0.229f, 0.224f, 0.225f};
  /// What shows through transparent pixels and beside letterboxed pictures, 0 to 255; none: transparency is dropped,
  /// and bars have the mean.
  std::optional<std::array<uint8_t, 3>> background{};
  bool profiles = true;       // colours that an ICC profile describes become sRGB
  bool exact_decode = false;  // JPEGs are decoded whole, also where a part of their resolution would do
};

class Model;

/// What is known of how a model's pictures are prepared, beside what the model says itself.
struct PreprocessingSettings {
  /// imagenet | tf | unit | caffe | raw (the conventions of published networks), or the path of a .json file
  /// (docs/preprocessing.md); empty: what the model says, else imagenet; auto: whatever the model says, imagenet is
  /// what a search begins with.
  std::string name;
  int64_t resize = -1;  // short side in pixels; 0: no resizing; below 0: as the preprocessing says. What is given here
                        // holds for pictures of the crop's own size, too
  int64_t crop = 0;     // side in pixels, where the model leaves it open; 0: as the model or the preprocessing says
  /// What is given of these replaces what the preprocessing says.
  std::optional<Interpolation> interpolation{};
  std::optional<Fit> fit{};
  std::optional<std::array<uint8_t, 3>> background{};
  std::optional<bool> profiles{}, exact_decode{};
};

/// The preprocessing that holds for this model: what `settings` say, else what the model says, else imagenet. The
/// crop's size comes from the model's input where that is fixed. Throws Error: not_found for an unknown name or a
/// missing file; corrupt_file for JSON that makes no sense; invalid_argument, about "crop", for another size than the
/// model takes, or for a number of colours that it does not take; unsupported for a model that does not take pictures.
Preprocessing preprocessing_for(const Model& model, const PreprocessingSettings& settings = {});

}  // namespace graft

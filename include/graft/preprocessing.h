#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace graft {

/// How a decoded RGB picture becomes the network's input. Stored in the model file, so that training and use cannot
/// differ.
struct Preprocessing {
  enum class Colour : uint8_t { rgb, bgr, grey };  // grey: one channel of luma, with the first mean and std
  int64_t resize = 256;                            // short side in pixels, antialiased bilinear; 0: no resizing
  int64_t crop_height = 224, crop_width = 224;     // centre crop, in pixels
  Colour colour = Colour::rgb;
  /// value = (pixel in 0…255 · scale - mean) / std, channel by channel in the network's own order
  float scale = 1.0f / 255;
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f}, std{0.229f, 0.224f, 0.225f};
};

class Model;

/// What is known of how a model's pictures are prepared, beside what the model says itself.
struct PreprocessingSettings {
  /// imagenet | tf | caffe | unit (the conventions of published networks), or the path of a .json file; empty: what the
  /// model says, else imagenet.
  std::string name;
  int64_t resize = -1;  // short side in pixels; 0: no resizing; below 0: as the preprocessing says
  int64_t crop = 0;     // side in pixels, where the model leaves it open; 0: as the model or the preprocessing says
};

/// The preprocessing that holds for this model: what `settings` say, else what the model says, else imagenet. The
/// crop's size comes from the model's input where that is fixed. Throws Error: not_found for an unknown name or a
/// missing file; corrupt_file for JSON that makes no sense; invalid_argument, about "crop", for another size than the
/// model takes, or for a number of colours that it does not take; unsupported for a model that does not take pictures.
Preprocessing preprocessing_for(const Model& model, const PreprocessingSettings& settings = {});

}  // namespace graft

#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/core/graph.h"

namespace graft {

/// How a decoded RGB picture becomes the network's input. Stored in the model file, so that training and use cannot
/// differ.
struct Preprocessing {
  enum class Colour : uint8_t { rgb, bgr, grey };  // grey: one channel of luma, with the first mean and std
  int64_t resize = 256;                            // short side in pixels, antialiased bilinear; 0: no resizing
  int64_t crop_height = 224, crop_width = 224;     // centre crop
  Colour colour = Colour::rgb;
  /// value = (pixel in 0…255 · scale - mean) / std, channel by channel in the network's own order
  float scale = 1.0f / 255;
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f}, std{0.229f, 0.224f, 0.225f};
};

/// Key in Metadata::other: how many of the last outputs are auxiliary heads, which only train.
inline constexpr const char* kAuxiliaryOutputs = "graft.auxiliary_outputs";

/// What an ONNX file says about itself beside the graph.
struct Metadata {
  std::vector<std::string> labels;  // class names in the order of the outputs
  std::string task;                 // "multi-label", "regression"; empty: one class a picture
  std::optional<Preprocessing> preprocessing;
  std::map<std::string, std::string> other;
};

struct Model {
  Graph graph;
  Metadata metadata;
  std::string path;
  int64_t opset = 0, ir_version = 0;
  int64_t usual_side = 224;  // of a picture whose size the file leaves open: one that fits the network
  int64_t declared_batch =
      0;  // first extent of input 0 as the file fixes it (the graph leaves it open); 0: open there too

  struct Picture {
    int64_t channels = 0, height = 0, width = 0;  // 0 where the file leaves the extent open
  };
  /// What input 0 takes. Throws Error when it is not N×C×H×W.
  Picture picture() const;
};

}  // namespace graft

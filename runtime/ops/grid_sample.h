#pragma once

#include <array>

#include "runtime/core/operator.h"

namespace graft {

/// ONNX GridSample: x (N×C×H×W) read at the places that a grid (N×Ho×Wo×2, of (x, y), -1 to 1 from edge to edge) names;
/// y is N×C×Ho×Wo. Same as torch.nn.functional.grid_sample; cubic with a = -0.75.
struct GridSample final : Operator {
  enum class Mode : uint8_t { linear, nearest, cubic };
  enum class Padding : uint8_t { zeros, border, reflection };
  Mode mode = Mode::linear;
  Padding padding = Padding::zeros;
  bool align_corners = false;  // -1 and 1 are the centres of the outermost pixels, not their outer edges

  /// The pixels that one place is a weighted sum of, and how their weights change with the grid's x and y.
  struct Taps {
    struct Tap {
      int64_t row, column;
      float weight, by_x, by_y;
    };
    std::array<Tap, 16> of;
    size_t count = 0;
  };

  std::string_view type() const override { return "GridSample"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  /// For one place of the grid in a picture of height×width. A coordinate that is no number, or that no reflection
  /// brings back, lies nowhere: no taps.
  Taps taps(float x, float y, int64_t height, int64_t width) const;
};

/// dL/dx of GridSample: dL/dy added to the pixels it was read from. Inputs dL/dy, grid.
struct GridSamplePictureGradient final : Operator {
  GridSample forward;
  Shape input_shape;
  std::string_view type() const override { return "GridSamplePictureGradient"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, input_shape}};
  }
};

/// dL/d grid of GridSample. Inputs dL/dy, x, grid.
struct GridSampleGridGradient final : Operator {
  GridSample forward;
  std::string_view type() const override { return "GridSampleGridGradient"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[2].dtype, inputs[2].shape}};
  }
};

}  // namespace graft

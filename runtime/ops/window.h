#pragma once

#include "runtime/core/tensor.h"

namespace graft {

struct Extent2d {
  int64_t height = 1, width = 1;
};

/// Elements added around the picture; negative values are refused.
struct Padding2d {
  int64_t top = 0, left = 0, bottom = 0, right = 0;
};

enum class Rounding : uint8_t { floor, ceil };

/// ONNX's auto_pad: the padding is given, or follows from the input's extents so that out = ⌈in / stride⌉ (the odd
/// element after the picture, or before it).
enum class AutoPad : uint8_t { given, same_upper, same_lower };

/// A sliding window over the two spatial dimensions, shared by convolution and pooling.
struct Window2d {
  Extent2d kernel;
  Extent2d stride;
  Extent2d dilation;
  Padding2d padding;
  Rounding rounding = Rounding::floor;
  AutoPad auto_pad = AutoPad::given;

  /// The same window with its padding resolved for this input.
  Window2d resolved(Extent2d input) const;
  /// (in + before + after - dilation·(kernel-1) - 1) / stride + 1, rounded as asked; with ceil, a window that would
  /// start in the padding after the picture is dropped (as ONNX and PyTorch do). Throws Error when nothing fits.
  Extent2d output(Extent2d input) const;
};

}  // namespace graft

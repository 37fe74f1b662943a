#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graft/classifier.h"
#include "graft/dataset.h"
#include "graft/listener.h"
#include "graft/model.h"

namespace graft {

/// How a model becomes one of 8-bit integers.
struct QuantizeSettings {
  /// Which range of an activation 256 steps cover: min-max | percentile | entropy | mean-square.
  std::string calibration = "mean-square";
  double percentile = 99.99;  // of the numbers that lie inside the range, for `percentile`
  size_t pictures = 256;  // that are looked at, half of them to calibrate and half to measure; kept as floats meanwhile
  /// Percentage points of accuracy that may be lost (where the pictures have no classes: of pictures whose answer
  /// changes). Where more is, and beyond chance, the layers that cost most stay in float32.
  double max_drop = 0.5;
  bool bias_correction = true;
  uint64_t seed = 0;  // which pictures are looked at
};

/// What quantize() made.
struct QuantizedModel {
  Model model;  // float32 in and out, with QuantizeLinear and DequantizeLinear where numbers are bytes
  size_t layers = 0, quantized = 0;        // convolutions and dense layers, and those on bytes
  std::vector<std::string> kept{};         // names of layers that stay in float32 since they cost too much
  std::vector<std::string> unsupported{};  // and since graft has no 8-bit form of them (grouped convolutions, MatMul)
  size_t calibrated = 0, measured = 0;     // pictures
  std::vector<std::string> skipped{};      // pictures that could not be read, each with the reason
  /// Of the measured pictures, 0 to 1: how many the float model and the quantised one have right, where all of them
  /// have classes of the model's; how many answers are the same, where the model answers with classes (elsewhere
  /// max_drop has nothing to count, which is noted).
  std::optional<double> accuracy_before{}, accuracy_after{}, agreement{};
  double relative_error = 0;  // of the outputs: root mean square of the difference, as a part of that of the outputs
};

/// Calibrates on some of `files` (their labels count where `classes` are the model's; empty: they have none) and rounds
/// weights and activations to 8 bits. Computes in float32 and 8-bit integers.
/// Throws Error: invalid_argument for settings, another precision among them; bad_data where fewer than two
/// pictures can be read; unsupported for a model without a layer that could be quantised, or that is quantised already;
/// as Classifier.
QuantizedModel quantize(const Model& model, const std::vector<LabelledFile>& files,
                        const std::vector<std::string>& classes, const QuantizeSettings& settings = {},
                        const RunSettings& run = {}, Listener* listener = nullptr);

}  // namespace graft

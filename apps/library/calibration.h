#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace graft {

/// Which range of a value's numbers 8-bit steps are to cover.
enum class CalibrationMethod : uint8_t { min_max, percentile, entropy, mean_square };

/// Throws Error, about "calibration", for another name.
CalibrationMethod calibration_method(const std::string& name);

/// What is seen of a value's numbers over calibration pictures: first its extremes, then how they are distributed.
class ValueRange {
 public:
  struct Range {
    float low = 0, high = 0;
  };

  void widen(std::span<const float> numbers);
  /// The same extremes as another's, of a value that shares its steps.
  void widen(const ValueRange& other);
  /// After all widening. NaN and infinities are not counted.
  void count(std::span<const float> numbers);

  /// `percentile`, 0 to 100: of the numbers that lie inside, for that method.
  ///   entropy: the range whose quantised distribution tells least apart from what was seen (Kullback and Leibler;
  ///   Migacz 2017, "8-bit inference with TensorRT"); mean_square: the one whose rounding and clipping make the
  ///   smallest mean square error.
  Range chosen(CalibrationMethod method, double percentile) const;

 private:
  static constexpr size_t kBins = 2048;
  Range percentile_range(double percentile) const;
  Range entropy_range() const;
  Range mean_square_range() const;
  double bin_middle(size_t bin) const;

  float low_ = 0, high_ = 0;  // 0 is always inside: padding and ReLU make it
  std::vector<double> bins_;
};

}  // namespace graft

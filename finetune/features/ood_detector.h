#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace graft {

/// Out-of-distribution detection by a kernel density of a network's features, after Sun et al. 2022 ("Out-of-
/// distribution detection with deep nearest neighbors"): a picture whose features lie farther from those of the
/// training pictures than held-back pictures of the same kind do is not of their kind. Features x become
/// sign(x)·|x|^1.5 of unit length, and a picture's distance is -h·log of the mean over the training pictures of
/// exp((cos - 1) / h), h = 1/50: a soft minimum of their cosine distances. To be small enough for a model file, the
/// training pictures are kept by their coordinates along their 128 largest singular vectors, both as int8.
class OodDetector {
 public:
  /// What is kept of a detector.
  struct State {
    size_t width = 0;                                    // features of a picture
    std::vector<int8_t> axes{}, references{};            // components × width; pictures × components
    std::vector<float> axis_scales{}, picture_scales{};  // what a row's integers are multiplied by
    std::vector<float> distances{};  // of held-back pictures, from the least, evenly along their ranks
    size_t components() const { return axis_scales.size(); }
  };

  /// `references`: features of training pictures, rows × width, two or more. `held_back`: of pictures of the same kind
  /// that are not among them; fewer than 20, and each reference counts as held back from the others. Rows that hold
  /// what is no number do not count. Throws Error (bad_data) for fewer than two references.
  static OodDetector fit(std::span<const float> references, std::span<const float> held_back, size_t width);
  /// Throws Error (corrupt_file) for a state whose parts do not go together.
  explicit OodDetector(State state);

  size_t width() const { return state_.width; }
  const State& state() const { return state_; }
  /// Share of the held-back pictures that lie nearer than one with these features, 0 to 1; above 0.95, a picture is as
  /// far as one in twenty of its own kind. Features that are no numbers: 1.
  double score(std::span<const float> features) const;
  double distance(std::span<const float> features) const;

 private:
  double distance_of(std::span<const float> coordinates, size_t left_out) const;
  std::vector<float> coordinates(std::span<const float> features) const;

  State state_;
  std::vector<float> axes_, references_;  // as float32
};

}  // namespace graft

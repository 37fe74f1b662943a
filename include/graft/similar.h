#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graft/listener.h"

namespace graft {

/// Pictures that are found by their features: the nearest ones by the cosine between them. Of up to 20,000 different
/// ones all are looked at; of more, some, by a hierarchical navigable small world graph [Malkov & Yashunin 2018], which
/// misses a few. Calls of nearest() must not overlap.
class PictureIndex {
 public:
  /// From what save_features or FeatureWriter wrote (.npz, .npy, .csv). The same rows give the same index. `listener`
  /// may be null. Throws Error: corrupt_file; bad_data for no rows, or rows that hold what is no number; cancelled.
  static PictureIndex of_features(const std::string& path, Listener* listener = nullptr);
  /// Throws Error: not_found, corrupt_file for what save() did not write.
  explicit PictureIndex(const std::string& path);
  ~PictureIndex();
  PictureIndex(PictureIndex&&) noexcept;
  PictureIndex& operator=(PictureIndex&&) noexcept;

  /// Beside the path and renamed. Throws Error (io).
  void save(const std::string& path) const;

  struct Neighbour {
    size_t index = 0;      // of a picture, from 0
    float similarity = 0;  // cosine of the features, -1 to 1
  };
  /// The `count` pictures nearest to these features, the nearest first; fewer where there are not so many. Throws Error
  /// (invalid_argument) for another number of features, or features that are no numbers.
  std::vector<Neighbour> nearest(std::span<const float> features, size_t count) const;

  size_t size() const;
  size_t width() const;  // features of a picture
  const std::string& path(size_t index) const;
  /// Of the picture; empty where it is not known.
  const std::string& class_name(size_t index) const;
  /// FeatureExtractor::made_by() of what made the features; empty where the file does not say.
  const std::string& made_by() const;

 private:
  struct Impl;
  explicit PictureIndex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace graft

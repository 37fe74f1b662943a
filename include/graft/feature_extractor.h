#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graft/classifier.h"
#include "graft/listener.h"
#include "graft/model.h"
#include "graft/picture.h"

namespace graft {

/// Features of pictures, row by row.
struct Features {
  size_t rows = 0, width = 0;          // pictures that could be read; numbers of each
  std::vector<float> values;           // rows × width; of maps, channel by channel (C×H×W)
  std::vector<size_t> indices;         // of each row: which of the call's pictures it is
  std::vector<std::string> paths;      // of each row; empty for pictures in memory
  std::vector<int64_t> labels;         // of each row: class_labels of `paths`, or the caller's own
  std::vector<std::string> classes{};  // what labels count, where that is known
  std::vector<SkippedPicture> skipped;
  std::span<const float> row(size_t i) const { return std::span(values).subspan(i * width, width); }
};

/// The name for the features that a model's classifier reads.
inline constexpr const char* kPenultimate = "penultimate";

/// A layer of a model, run over pictures. One thread at a time may use one; several may run in several threads.
class FeatureExtractor {
 public:
  /// `layer`: kPenultimate, or the name of a node or value. Throws Error: not_found for a layer that the model does not
  /// have; invalid_argument for one that has no row for each picture; else as Classifier.
  explicit FeatureExtractor(const Model& model, const std::string& layer = kPenultimate,
                            const RunSettings& settings = {});
  ~FeatureExtractor();
  FeatureExtractor(FeatureExtractor&&) noexcept;
  FeatureExtractor& operator=(FeatureExtractor&&) noexcept;

  /// Throws Error (bad_data) where none of the files can be read.
  Features extract(const std::vector<std::string>& paths, Listener* listener = nullptr);
  /// For many pictures: calls `row` with a picture's index and its features, in order, as soon as its batch is
  /// computed, or `failed` with the reason. The features are valid during the call. Returns how many failed.
  using Row = std::function<void(size_t index, std::span<const float> features)>;
  using Failed = std::function<void(size_t index, const std::string& reason)>;
  size_t run(const std::vector<std::string>& paths, const Row& row, const Failed& failed = {},
             Listener* listener = nullptr);
  size_t run(std::span<const EncodedPictureView> pictures, const Row& row, const Failed& failed = {},
             Listener* listener = nullptr);
  /// Throws Error (invalid_argument) for a picture without pixels.
  Features extract(std::span<const PictureView> pictures, Listener* listener = nullptr);

  /// What features depend on, as JSON in a line: the model's name, a hash of the operators, attributes and weights that
  /// lead to the layer, layer, preprocessing, views, precision.
  const std::string& made_by() const;
  /// Numbers of a row; 0 before anything has run, unless RunSettings::pictures was given.
  size_t width() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Of each path the class whose folder it lies in: the index of that folder's name among `labels` where any of them is
/// there, else among all folders' names, sorted; -1 where neither says anything.
std::vector<int64_t> class_labels(const std::vector<std::string>& paths, const std::vector<std::string>& labels);

/// Writes .npy (the values; PATH.paths.txt beside it has a path a row), .npz (features, labels, paths, classes) or .csv
/// (path,label,class,f0,f1…), by the path's extension, beside it and renamed. Throws Error: unsupported for another
/// extension, io.
void save_features(const Features& features, const std::string& path);
/// Throws Error (unsupported) for a path that save_features would refuse.
void check_features_path(const std::string& path);

}  // namespace graft

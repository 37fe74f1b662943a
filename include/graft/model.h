#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graft/preprocessing.h"
#include "graft/task.h"

namespace graft {

struct OnnxModel;

/// How a model is written.
struct SaveSettings {
  /// Weights as float16: half the file, computed in float32 as before. Vectors (biases, norms) stay float32.
  bool half_weights = false;
  /// Weights over a kilobyte go to PATH.data beside the file; over 2 GiB they do in any case.
  bool external_weights = false;
};

/// A network with its weights, class names and preprocessing. Copies share the weights and cost little; no function
/// changes a model that the caller still holds. Threads may share a constant one.
class Model {
 public:
  /// Reads an ONNX file (opset 7 to 27), which is not trusted. Throws Error, with the file's and the node's name:
  /// not_found, io; corrupt_file for a damaged or impossible one; unsupported for operators and versions that graft
  /// does not know; out_of_memory.
  static Model load(const std::string& path);

  /// Writes ONNX, opset 17, beside PATH and renamed, so that the file is never half a model. Returns the bytes written.
  /// Throws Error: io where the disk refuses; unsupported for an operator that ONNX lacks.
  uint64_t save(const std::string& path, const SaveSettings& settings = {}) const;

  /// The file it was read from; empty for one that was made.
  const std::string& path() const;
  Task task() const;
  /// Names of the classes (for measured values: of the values) in the order of the outputs; empty where the file says
  /// none.
  const std::vector<std::string>& labels() const;
  void set_labels(std::vector<std::string> labels);
  /// What the file says; preprocessing_for resolves what it leaves open.
  const std::optional<Preprocessing>& preprocessing() const;
  void set_preprocessing(const Preprocessing& preprocessing);

  /// Extents of a picture in pixels, 0 where the file leaves them open.
  struct InputSize {
    int64_t channels = 0, height = 0, width = 0;
  };
  /// Throws Error (unsupported) where the first input is not N×C×H×W.
  InputSize input_size() const;
  /// The graph's outputs; the first are the scores or features.
  std::vector<std::string> output_names() const;
  /// Nodes in the order in which they are computed: what FeatureExtractor's layer and the freeze policy name.
  std::vector<std::string> layer_names() const;

  /// For graft's own libraries: the importer's form. `contents` is not null.
  explicit Model(std::shared_ptr<OnnxModel> contents);
  const OnnxModel& contents() const { return *contents_; }
  OnnxModel release() &&;

 private:
  OnnxModel& own();
  std::shared_ptr<OnnxModel> contents_;
};

}  // namespace graft

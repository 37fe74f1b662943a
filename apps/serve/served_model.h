#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/serve/batcher.h"
#include "graft/classifier.h"
#include "graft/explain.h"
#include "graft/feature_extractor.h"
#include "graft/model.h"
#include "runtime/core/tensor.h"

namespace graft::app {

/// What became of a picture: one of the results, or why there is none.
struct PictureResult {
  std::optional<Classification> classification;
  std::vector<float> features;
  std::optional<Explanation> explanation;
  std::string error;
  bool failed = false;  // the error is the server's, not the picture's
};

/// A picture that waits for its turn. `done` is called once, from the model's thread, and throws nothing.
struct PictureJob {
  std::string bytes;  // of the file
  std::string name;
  size_t top = 5;   // of a classification
  int target = -1;  // of an explanation
  std::function<void(PictureResult)> done;
  PreparedPicture prepared{};  // by the model, in the bytes' place
};

/// Arrays as the network itself takes them, for those who prepare their own.
struct TensorJob {
  std::vector<Tensor> inputs;  // in the order of the graph's
  /// The graph's outputs, or why there are none.
  std::function<void(std::vector<Tensor>, std::string error)> done;
};

/// A model behind a server: pictures that come one by one run in batches. What features, explanations and bare arrays
/// need is made when they are first asked for. Thread-safe.
class ServedModel {
 public:
  /// Throws Error as Classifier and FeatureExtractor do.
  ServedModel(std::string name, Model model, const RunSettings& run, const BatchLimits& limits);
  ~ServedModel();

  const std::string& name() const;
  const Model& model() const;
  const Preprocessing& preprocessing() const;
  bool detects_ood() const;

  /// All of the jobs, or none: false where too many wait.
  bool classify(std::vector<PictureJob> jobs);
  bool embed(std::vector<PictureJob> jobs);
  bool explain(std::vector<PictureJob> jobs);
  bool infer(TensorJob job);
  /// Jobs that wait.
  size_t waiting() const;

  /// Told of each batch: "classify", and how many pictures it held. Set before the first job.
  std::function<void(const std::string& what, size_t pictures)> ran;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace graft::app

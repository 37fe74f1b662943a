#pragma once

#include <optional>
#include <vector>

#include "finetune/features/ood_detector.h"
#include "importer/model.h"

namespace graft {

/// What a model knows of how far it can be trusted, kept in its metadata.
struct Confidence {
  double temperature = 1;         // that its scores are divided by before their softmax
  std::vector<float> thresholds;  // probabilities from which on a label is there; empty: 0.5 for all
  std::optional<OodDetector> ood;
};

/// Throws Error (corrupt_file) where a key of graft's holds what graft does not write.
Confidence confidence_of(const OnnxModel& model);
/// Its parts, without reading the others: a detector takes a while. Throw the same.
double temperature_of(const OnnxModel& model);
/// Its thresholds, of a model with so many outputs; empty where it has none. Throws Error (corrupt_file) for other
/// ones.
std::vector<float> thresholds_of(const OnnxModel& model, size_t outputs);
/// Takes the place of what the metadata says; the usual values leave nothing there.
void set_confidence(const Confidence& confidence, Metadata& metadata);

/// The value that the first output's classifier reads, N × width float32; kNoValue where there is none or it reads
/// places.
ValueId head_features(const Graph& graph);

}  // namespace graft

#pragma once

#include <string>
#include <vector>

#include "graft/compare.h"
#include "graft/evaluate.h"

namespace graft::app {

/// One part of a dataset and what a model is worth on it.
struct EvaluatedPart {
  std::string split;  // train | val | test | all
  std::vector<LabelledFile> files;
  Evaluation evaluation;
};

/// The predictions, the worst first: mistakes before what is right, then by loss. Measured values: by loss.
std::vector<const Prediction*> worst_first(const Evaluation& evaluation);

/// Throws Error where nothing can be written beside `path`: before the work, not after it.
void require_writable_place(const std::string& path);

/// Every picture with what is true, what is answered and what that costs, the worst first: a table (.csv) or an object
/// a line (.jsonl). Throws Error for another ending, before anything is written.
void write_predictions(const std::string& path, const std::vector<EvaluatedPart>& parts);
void check_predictions_path(const std::string& path);

/// ROC and precision-recall curves of classes or labels; of measured values what is left over. As points (.csv) or
/// drawn (.svg): of many classes the ten with the most pictures. Throws Error for another ending.
void write_curves(const std::string& path, const Evaluation& evaluation, const std::vector<LabelledFile>& files);
void check_curves_path(const std::string& path);

}  // namespace graft::app

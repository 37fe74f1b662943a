#pragma once

#include <string>
#include <vector>

#include "apps/cli/account.h"
#include "apps/evaluation/evaluation_files.h"
#include "graft/finetune.h"

namespace graft::app {

/// What a report tells. What is not known is left empty, and its section with it.
struct ReportSource {
  std::string title;
  bool of_run = true;  // the parts are those that trained and judged the model
  /// What the model is worth on each part; the pictures of the last one are shown.
  std::vector<EvaluatedPart> parts;
  RunSettings run;  // of the model over pictures
  std::vector<EpochReport> history;
  RecipeSearch recipe;
  Account account;
  std::vector<std::string> notes;
  std::string config, command;         // of the run
  std::string augment;                 // what training did to pictures
  std::vector<LabelledFile> training;  // pictures that it did it to
};

/// Writes one HTML file that needs nothing else: figures, curves, confusion, mistakes with their pictures and where the
/// network looked, calibration, features in the plane, filters, augmentation, data, settings. Throws Error where it
/// cannot be written; what a network does not allow (an overlay without a gradient) is left out with a note in it.
void write_report(const std::string& path, const Model& model, const ReportSource& source, Listener* listener);

}  // namespace graft::app

#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "apps/library/confidence.h"
#include "finetune/data/sample_source.h"
#include "finetune/features/feature_files.h"
#include "graft/dataset.h"
#include "graft/listener.h"
#include "graft/report.h"
#include "importer/model.h"
#include "runtime/core/backend.h"

namespace graft {

/// What a network makes of pictures: of those that trained it features alone.
struct ConfidenceRows {
  size_t width = 0, outputs = 0;
  std::vector<float> references{};          // training pictures × width
  std::vector<float> features{}, scores{};  // held-back pictures × width, × outputs (logits)
  std::vector<int> labels{};                // of the held-back pictures
  std::vector<float> targets{};             // with several labels: held-back pictures × outputs
};

/// The training pictures that a detector keeps, and the held-back ones that judge: at most 1000 of the first and 4000
/// of the second, in the order of their classes; of the first as many of each class as there are, of the second by lot,
/// so that classes weigh what they weigh in the data. Indices into `source`, whose first `training` samples train.
struct ConfidencePictures {
  std::vector<int64_t> references, held_back;
};
ConfidencePictures confidence_pictures(const SampleSource& source, int64_t training, uint64_t seed);

/// Runs the model, which must end in logits or values, over plain views of `pictures`. Those that cannot be read are
/// left out. `files`: where what lies below the head is looked for and kept; null: nowhere. `progress` gets how many
/// are done, of how many. Throws Error.
ConfidenceRows run_for_confidence(const OnnxModel& model, const SampleSource& source,
                                  const ConfidencePictures& pictures, const PictureSize& size, size_t batch,
                                  const Backend& backend, int threads, FeatureFiles* files,
                                  const std::function<void(int64_t done, int64_t total)>& progress);

/// Fits what the task can use, and says in `report` what it is worth.
Confidence fit_confidence(const ConfidenceRows& rows, Task task, ConfidenceReport& report);

/// What the fit came to, in plain words.
void tell_confidence(const ConfidenceReport& report, Task task, Listener& listener);

}  // namespace graft

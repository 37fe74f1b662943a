#pragma once

#include <string>
#include <vector>

#include "apps/library/picture_source.h"
#include "finetune/data/target_scale.h"
#include "graft/dataset.h"
#include "graft/settings.h"

namespace graft {

/// The pictures of a run as its trainer sees them.
class TrainingData {
 public:
  /// Copies the dataset's lists; measured values are brought to mean 0 and deviation 1 over the training pictures.
  /// Measures the training pictures' colours where the recipe asks for them. `decoded`: see Loader. Throws Error.
  TrainingData(const Dataset& dataset, const Preprocessing& preprocessing, const FinetuneSettings& settings, Task task,
               std::shared_ptr<DecodedPictures> decoded);
  TrainingData(const TrainingData&) = delete;  // its sources refer to its pipelines
  TrainingData& operator=(const TrainingData&) = delete;

  const SampleSource& training() const { return training_source_; }
  const SampleSource& validation() const { return validation_source_; }
  /// Both, one behind the other. Must not outlive this object.
  PictureSource whole() const;
  int64_t classes() const { return static_cast<int64_t>(dataset_.classes.size()); }
  const Dataset& dataset() const { return dataset_; }
  const TargetScale& scale() const { return scale_; }

 private:
  PictureSource source_of(std::vector<LabelledFile> items) const;
  Dataset dataset_;
  TargetScale scale_;  // of measured values
  uint64_t seed_;
  int threads_;
  std::shared_ptr<DecodedPictures> decoded_;
  std::string augmentation_text_;
  Pipeline evaluation_, augmentation_;
  std::string evaluation_text_;
  PictureSource training_source_, validation_source_;
};

/// Room for decoded pictures, as the settings say; null where there is to be none.
std::shared_ptr<DecodedPictures> decoded_pictures(const FinetuneSettings& settings);

/// The weights that the settings mean, one a class; empty: all 1. Throws Error, about "class-weights".
std::vector<float> class_weights(const FinetuneSettings& settings, const Dataset& dataset, Task task);

/// Throws Error (bad_data) for a dataset that the caller made and that cannot be learnt: labels that are no class,
/// classes without training pictures, no validation.
void check_dataset(const Dataset& dataset, Task task);

/// What a resumed run must share with the run before, NAME=VALUE in each line: what is set but for where things lie,
/// how fast they are computed and how long it goes on; hashes of the network and of the pictures.
std::string fingerprint(const FinetuneSettings& settings, const Graph& graph, const Preprocessing& preprocessing,
                        const Dataset& dataset);

}  // namespace graft

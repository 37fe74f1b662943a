#pragma once

#include <string>
#include <vector>

#include "graft/dataset.h"

namespace graft::app {

/// Some of a dataset's pictures, and what they are called.
struct DataPart {
  std::string split;  // train | val | test | all
  std::vector<LabelledFile> files;
};

/// What a --split of auto | test | val | train | all | each says: by itself the pictures for testing, where there are
/// none those that validate, else all. `place`: of the dataset, for errors. Throws Error (bad_data) for an empty part.
std::vector<DataPart> chosen_parts(const Dataset& data, const std::string& split, const std::string& place);

/// Whether it means parts that training would make where the data does not tell them apart.
inline bool splits_as_training(const std::string& split) {
  return split == "val" || split == "train" || split == "each";
}

}  // namespace graft::app

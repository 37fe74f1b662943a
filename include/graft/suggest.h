#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "graft/classifier.h"
#include "graft/listener.h"
#include "graft/model.h"

namespace graft {

struct SuggestSettings {
  size_t count = 20;  // pictures to name
  uint64_t seed = 0;
};

/// A picture that is worth a label.
struct Suggestion {
  size_t index = 0;  // into the paths given
  double uncertainty =
      0;  // 0 to 1: what the best class lacks to be clear of the second; 1 where the model has no classes
  std::vector<Score> top;  // the two best answers; empty where the model has no classes
};
struct Suggestions {
  std::vector<Suggestion> pictures;                     // the most uncertain first
  std::vector<std::pair<size_t, std::string>> skipped;  // index and why it could not be read
};

/// Which of many pictures to label next: those that the model is unsure of, as different from each other as can be (see
/// next_to_label). A model that ends in features has no answers to be unsure of: then the pictures stand for the whole
/// set. Keeps the features of the 10 × count most uncertain pictures, of 20,000 at most; its work beside the network's
/// grows with the square of `count`. `listener` may be null. Throws Error: as Classifier; unsupported for a model of
/// measured values, whose answers are never unsure.
Suggestions suggest(const Model& model, const std::vector<std::string>& paths, const SuggestSettings& settings = {},
                    const RunSettings& run = {}, Listener* listener = nullptr);

}  // namespace graft

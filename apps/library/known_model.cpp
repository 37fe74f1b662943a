#include "apps/library/known_model.h"

#include <filesystem>

#include "apps/library/sha256.h"
#include "models/zoo.h"
#include "runtime/core/error.h"

namespace graft {

void take_what_is_known(OnnxModel& model) {
  if (model.metadata.preprocessing && !model.metadata.labels.empty()) return;
  std::error_code error;
  const auto bytes = std::filesystem::file_size(model.path, error);
  if (error) return;
  const auto candidates = zoo_models_of_size(static_cast<int64_t>(bytes));
  if (candidates.empty()) return;
  std::string sum;
  try {
    sum = sha256_of_file(model.path);
  } catch (const Error& failure) {
    model.notes.push_back("has the size of " + candidates[0]->reference() +
                          ", but its checksum is not known: " + failure.what());
    return;
  }
  for (const ZooModel* known : candidates) {
    if (known->sha256 != sum) continue;
    std::string taken;
    if (!model.metadata.preprocessing) {
      model.metadata.preprocessing = known->preprocessing();
      taken = "the preprocessing that it was trained with";
    }
    if (model.metadata.labels.empty())
      if (auto labels = known->labels(); !labels.empty()) {
        model.metadata.labels = std::move(labels);
        taken += (taken.empty() ? "" : " and ") + std::string("ImageNet's names");
      }
    if (!taken.empty()) model.notes.push_back("the file is " + known->reference() + ": " + taken + " are taken");
    return;
  }
}

}  // namespace graft

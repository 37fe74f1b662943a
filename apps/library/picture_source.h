#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "augment/loader.h"
#include "augment/pipeline.h"
#include "finetune/data/sample_source.h"
#include "graft/dataset.h"

namespace graft {

/// Pictures of a dataset as a trainer sees them: variant 0 through the evaluation pipeline, others through the training
/// one, with random numbers that follow from (seed, variant, index). `threads` decode (0: one a core). Both pipelines
/// must outlive it. `decoded`: see Loader.
class PictureSource final : public SampleSource {
 public:
  /// `evaluation_text`, `training_text`: see pipeline_text; empty where their samples have no content keys.
  PictureSource(std::vector<LabelledFile> items, const Pipeline& evaluation, const Pipeline& training, uint64_t seed,
                int threads, std::shared_ptr<DecodedPictures> decoded = nullptr, std::string evaluation_text = {},
                std::string training_text = {})
      : items_(std::move(items)),
        evaluation_(evaluation),
        training_(training),
        evaluation_text_(std::move(evaluation_text)),
        training_text_(std::move(training_text)),
        seed_(seed),
        threads_(threads),
        decoded_(std::move(decoded)) {}
  int64_t size() const override { return static_cast<int64_t>(items_.size()); }
  int label(int64_t index) const override { return items_[static_cast<size_t>(index)].label; }
  std::span<const float> target(int64_t index) const override { return items_[static_cast<size_t>(index)].target; }
  float weight(int64_t index) const override { return items_[static_cast<size_t>(index)].weight; }
  std::unique_ptr<SampleStream> stream(std::vector<SampleRef> order, size_t batch) const override;
  std::unique_ptr<SampleStream> byte_stream(const std::vector<SampleRef>& order, size_t batch) const override;
  std::vector<std::optional<ContentKey>> content_keys(const std::vector<SampleRef>& samples) const override;
  bool is_unchanged(const SampleRef& sample) const override;

 private:
  std::unique_ptr<SampleStream> stream_of(const std::vector<SampleRef>& order, size_t batch, PixelForm form) const;
  LoadRequest request(const SampleRef& ref) const;
  std::vector<LabelledFile> items_;
  const Pipeline &evaluation_, &training_;
  std::string evaluation_text_, training_text_;
  uint64_t seed_;
  int threads_;
  std::shared_ptr<DecodedPictures> decoded_;
};

}  // namespace graft

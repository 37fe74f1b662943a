#include "finetune/training/step_inputs.h"

#include "finetune/training/picture_prefetcher.h"

namespace graft {
namespace {

class BoundInputs final : public StepInputs {
 public:
  explicit BoundInputs(Plan& plan) : plan_(plan) {}
  void prefetch(const FeedBatch&) override {}
  void stage(const FeedBatch& batch) override {
    for (size_t i = 0; i < batch.inputs.size(); ++i) plan_.bind_input(i, batch.inputs[i]);
  }
  void discard() override {}

 private:
  Plan& plan_;
};

class PrefetchedInputs final : public StepInputs {
 public:
  explicit PrefetchedInputs(Plan& plan) : plan_(plan) {}
  void prefetch(const FeedBatch& next) override {
    const bool pictures = next.pictures.pixels != nullptr;
    if (!inputs_) {  // all batches of a run have the first one's form
      inputs_ = std::make_unique<InputPrefetcher>(plan_, next.inputs.size());
      if (pictures) pictures_ = std::make_unique<PicturePrefetcher>(plan_, next.inputs.size());
    }
    inputs_->prefetch(next.inputs, next.device_inputs);
    if (pictures) pictures_->prefetch(next.pictures);
  }
  void stage(const FeedBatch& batch) override {
    if (!inputs_ || !inputs_->pending()) prefetch(batch);
    inputs_->stage();
    if (pictures_) pictures_->stage();
  }
  void discard() override {
    if (inputs_) inputs_->discard();
    if (pictures_) pictures_->discard();
  }

 private:
  Plan& plan_;
  std::unique_ptr<InputPrefetcher> inputs_;      // null before the first batch
  std::unique_ptr<PicturePrefetcher> pictures_;  // null where pictures come as floats
};

}  // namespace

std::unique_ptr<StepInputs> StepInputs::make(Plan& plan) {
  if (plan.backend().device()) return std::make_unique<PrefetchedInputs>(plan);
  return std::make_unique<BoundInputs>(plan);
}

}  // namespace graft

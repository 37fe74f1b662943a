#pragma once

#include <memory>
#include <string>
#include <vector>

#include "finetune/data/batch_mixing.h"
#include "finetune/data/sample_source.h"
#include "finetune/features/feature_cache.h"

namespace graft {

/// The inputs of the trained part for one batch: pointers in the order of its graph inputs, labels with -1 where a slot
/// counts for nothing (padding, unreadable samples).
struct FeedBatch {
  std::vector<const float*> inputs;
  std::vector<const void*>
      device_inputs;        // the first inputs on the plan's device, where they are there already; null in `inputs`
  PictureBytes pictures{};  // where there are any, the last input in the place of floats
  std::vector<int> labels;
  std::vector<float> rows;         // targets of several numbers, batch × outputs; empty where labels say it all
  std::vector<float> weights;      // of the samples' losses
  const float* teacher = nullptr;  // the teacher's scores, where there is one
};

/// Brings samples to the trained part of a network, in whole batches: the last one is filled up with samples from the
/// front, so that one plan serves all and batch statistics see real pictures.
class Feed {
 public:
  virtual ~Feed() = default;
  /// `first_step`: number of the first batch, from which random mixing follows.
  virtual void start(std::vector<SampleRef> order, uint64_t first_step = 0) = 0;
  virtual bool next(FeedBatch& batch) = 0;
};

/// With `mixing` (not owned, may be null) samples are mixed on the way.
std::unique_ptr<Feed> make_cached_feed(FeatureRows rows, const SampleSource& source, size_t batch,
                                       const BatchMixing* mixing = nullptr);

/// What whoever reads a streamed feed can do with.
struct FeedForms {
  bool pictures_as_bytes = false;  // FeedBatch::pictures, where the source has bytes and the backend can normalise them
  bool features_on_device = false;  // FeedBatch::device_inputs, where the backend has a device
};

/// Runs `trunk` (which may be empty) over the pictures each time. `pass_pictures`: the trained part reads the picture
/// itself, after the trunk's outputs. Unreadable samples are added to `failures` once.
std::unique_ptr<Feed> make_streamed_feed(const Graph& trunk, bool pass_pictures, const OpenDims& dims,
                                         const Backend& backend, int threads, const SampleSource& source, size_t batch,
                                         std::vector<std::string>& failures, const BatchMixing* mixing = nullptr,
                                         const FeedForms& forms = {});

}  // namespace graft

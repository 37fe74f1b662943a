#include "finetune/training/feed.h"

#include <optional>
#include <set>

#include "finetune/training/picture_prefetcher.h"
#include "runtime/plan/row_plan.h"

namespace graft {
namespace {

/// `order` filled up to whole batches from its own front; returns how many slots are real.
size_t fill_up(std::vector<SampleRef>& order, size_t batch) {
  const size_t real = order.size();
  for (size_t i = 0; real > 0 && order.size() % batch != 0; ++i) order.push_back(order[i % real]);
  return real;
}

void add_target(const SampleSource& source, int64_t index, size_t slot, FeedBatch& batch) {
  batch.labels[slot] = source.label(index);
  batch.weights[slot] = source.weight(index);
  const auto target = source.target(index);
  if (target.empty()) return;
  batch.rows.resize(batch.labels.size() * target.size());
  std::copy(target.begin(), target.end(), batch.rows.begin() + static_cast<int64_t>(slot * target.size()));
}

class CachedFeed final : public Feed {
 public:
  CachedFeed(FeatureRows rows, const SampleSource& source, size_t batch, const BatchMixing* mixing)
      : rows_(std::move(rows)), source_(source), batch_(batch), mixing_(mixing) {
    for (size_t o = 0; o < rows_.outputs.size(); ++o) buffers_.emplace_back(batch * rows_.width(o));
    if (mixing) mixed_ = buffers_;
  }
  void start(std::vector<SampleRef> order, uint64_t first_step) override {
    order_ = std::move(order);
    real_ = fill_up(order_, batch_);
    at_ = 0;
    step_ = first_step;
  }
  bool next(FeedBatch& batch) override {
    if (at_ >= order_.size()) return false;
    batch.inputs.clear();
    batch.labels.assign(batch_, -1);
    batch.weights.assign(batch_, 1);
    batch.rows.clear();
    for (size_t o = 0; o < buffers_.size(); ++o) {
      for (size_t i = 0; i < batch_; ++i) rows_.copy(o, order_[at_ + i], buffers_[o].data() + i * rows_.width(o));
      batch.inputs.push_back(buffers_[o].data());
    }
    for (size_t i = 0; i < batch_ && at_ + i < real_; ++i) add_target(source_, order_[at_ + i].index, i, batch);
    if (mixing_) {
      const auto plan = mixing_->plan(batch.labels, step_++);
      for (size_t o = 0; o < buffers_.size(); ++o) {
        mixing_->mix_rows(plan, buffers_[o], mixed_[o], rows_.width(o));
        batch.inputs[o] = mixed_[o].data();
      }
      mixing_->mix_targets(plan, batch.labels, batch.rows);
      mixing_->mix_weights(plan, batch.weights);
    }
    at_ += batch_;
    return true;
  }

 private:
  FeatureRows rows_;
  const SampleSource& source_;
  size_t batch_, real_ = 0, at_ = 0;
  const BatchMixing* mixing_;
  uint64_t step_ = 0;
  std::vector<std::vector<float>> buffers_, mixed_;
  std::vector<SampleRef> order_;
};

class StreamedFeed final : public Feed {
 public:
  StreamedFeed(const Graph& trunk, bool pass_pictures, const OpenDims& dims, const Backend& backend, int threads,
               const SampleSource& source, size_t batch, std::vector<std::string>& failures, const BatchMixing* mixing,
               const FeedForms& forms)
      : source_(source),
        batch_(batch),
        height_(static_cast<size_t>(dims.height)),
        width_(static_cast<size_t>(dims.width)),
        pass_pictures_(pass_pictures),
        failures_(failures),
        mixing_(mixing) {
    as_bytes_ = backend.training_kernels() && !mixing && (forms.pictures_as_bytes || !pass_pictures);
    OpenDims batched = dims;
    batched.batch = static_cast<int64_t>(batch);
    if (!trunk.outputs.empty()) trunk_.emplace(trunk, batched, backend, threads);
    if (!trunk_ || !backend.device()) return;
    if (trunk_->one_by_one()) {
      as_bytes_ = false;
    } else if (forms.features_on_device) {
      for (size_t o = 0; o < trunk_->output_count(); ++o) features_.push_back(trunk_->plan().keep_output(o));
    }
  }
  void start(std::vector<SampleRef> order, uint64_t first_step) override {
    order_ = std::move(order);
    real_ = fill_up(order_, batch_);
    at_ = 0;
    step_ = first_step;
    stream_ = as_bytes_ ? source_.byte_stream(order_, batch_) : nullptr;
    if (!stream_) stream_ = source_.stream(order_, batch_);
  }
  bool next(FeedBatch& batch) override {
    SampleBatch loaded;
    if (!stream_->next(loaded)) return false;
    batch.inputs.clear();
    batch.labels.assign(batch_, -1);
    batch.weights.assign(batch_, 1);
    batch.rows.clear();
    for (size_t i = 0; i < batch_ && at_ + i < real_; ++i) {
      if (loaded.errors[i].empty())
        add_target(source_, order_[at_ + i].index, i, batch);
      else if (reported_.insert(order_[at_ + i].index).second)
        failures_.push_back(loaded.errors[i]);
    }
    const bool bytes = loaded.bytes.pixels != nullptr;
    const float* pixels = bytes ? nullptr : mixing_ ? mixed(loaded, batch) : loaded.pixels;
    if (trunk_) {
      if (bytes) {
        if (!pictures_) pictures_ = std::make_unique<PicturePrefetcher>(trunk_->plan(), 0);
        pictures_->prefetch(loaded.bytes);
        pictures_->stage();
        trunk_->plan().forward();
      } else {
        trunk_->forward(pixels);
      }
      for (size_t o = 0; o < trunk_->output_count(); ++o)
        batch.inputs.push_back(features_.empty() ? static_cast<const float*>(trunk_->output(o)) : nullptr);
      batch.device_inputs = features_;
    }
    batch.pictures = {};
    if (pass_pictures_ && bytes)
      batch.pictures = loaded.bytes;
    else if (pass_pictures_)
      batch.inputs.push_back(pixels);
    at_ += batch_;
    return true;
  }

 private:
  const float* mixed(const SampleBatch& loaded, FeedBatch& batch) {
    const size_t channels = loaded.floats / (height_ * width_);
    const std::span<const float> pixels(loaded.pixels, batch_ * loaded.floats);
    pixels_.resize(pixels.size());
    auto plan = mixing_->plan(batch.labels, step_++);
    mixing_->mix_pictures(plan, pixels, pixels_, height_, width_, channels);
    mixing_->mix_targets(plan, batch.labels, batch.rows);
    mixing_->mix_weights(plan, batch.weights);
    return pixels_.data();
  }

  const SampleSource& source_;
  size_t batch_, real_ = 0, at_ = 0, height_, width_;
  bool pass_pictures_, as_bytes_ = false;
  std::vector<std::string>& failures_;
  const BatchMixing* mixing_;
  uint64_t step_ = 0;
  std::vector<float> pixels_;
  std::set<int64_t> reported_;
  std::optional<RowPlan> trunk_;
  std::vector<const void*> features_;            // of the trunk, where they stay on the device
  std::unique_ptr<PicturePrefetcher> pictures_;  // the trunk's input, where pictures come as bytes
  std::vector<SampleRef> order_;
  std::unique_ptr<SampleStream> stream_;
};

}  // namespace

std::unique_ptr<Feed> make_cached_feed(FeatureRows rows, const SampleSource& source, size_t batch,
                                       const BatchMixing* mixing) {
  return std::make_unique<CachedFeed>(std::move(rows), source, batch, mixing);
}

std::unique_ptr<Feed> make_streamed_feed(const Graph& trunk, bool pass_pictures, const OpenDims& dims,
                                         const Backend& backend, int threads, const SampleSource& source, size_t batch,
                                         std::vector<std::string>& failures, const BatchMixing* mixing,
                                         const FeedForms& forms) {
  return std::make_unique<StreamedFeed>(trunk, pass_pictures, dims, backend, threads, source, batch, failures, mixing,
                                        forms);
}

}  // namespace graft

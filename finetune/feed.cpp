#include "finetune/feed.h"

#include <optional>
#include <set>

namespace graft {
namespace {

/// `order` filled up to whole batches from its own front; returns how many slots are real.
size_t fill_up(std::vector<SampleRef>& order, size_t batch) {
  const size_t real = order.size();
  for (size_t i = 0; real > 0 && order.size() % batch != 0; ++i) order.push_back(order[i % real]);
  return real;
}

class CachedFeed final : public Feed {
 public:
  CachedFeed(const FeatureCache& cache, const SampleSource& source, size_t batch) : cache_(cache), source_(source), batch_(batch) {
    for (size_t o = 0; o < cache.outputs(); ++o) buffers_.emplace_back(batch * cache.width(o));
  }
  void start(std::vector<SampleRef> order) override {
    order_ = std::move(order);
    real_ = fill_up(order_, batch_);
    at_ = 0;
  }
  bool next(FeedBatch& batch) override {
    if (at_ >= order_.size()) return false;
    batch.inputs.clear();
    batch.labels.assign(batch_, -1);
    for (size_t o = 0; o < buffers_.size(); ++o) {
      for (size_t i = 0; i < batch_; ++i) cache_.copy(o, order_[at_ + i], buffers_[o].data() + i * cache_.width(o));
      batch.inputs.push_back(buffers_[o].data());
    }
    for (size_t i = 0; i < batch_ && at_ + i < real_; ++i) batch.labels[i] = source_.label(order_[at_ + i].index);
    at_ += batch_;
    return true;
  }

 private:
  const FeatureCache& cache_;
  const SampleSource& source_;
  size_t batch_, real_ = 0, at_ = 0;
  std::vector<std::vector<float>> buffers_;
  std::vector<SampleRef> order_;
};

class StreamedFeed final : public Feed {
 public:
  StreamedFeed(const Graph& trunk, bool pass_pictures, const OpenDims& dims, const Backend& backend, int threads, const SampleSource& source, size_t batch, std::vector<std::string>& failures)
      : source_(source), batch_(batch), pass_pictures_(pass_pictures), failures_(failures) {
    OpenDims batched = dims;
    batched.batch = static_cast<int64_t>(batch);
    if (!trunk.outputs.empty()) trunk_.emplace(compile_inference(trunk, batched, backend, threads));
  }
  void start(std::vector<SampleRef> order) override {
    order_ = std::move(order);
    real_ = fill_up(order_, batch_);
    at_ = 0;
    stream_ = source_.stream(order_, batch_);
  }
  bool next(FeedBatch& batch) override {
    SampleBatch loaded;
    if (!stream_->next(loaded)) return false;
    batch.inputs.clear();
    batch.labels.assign(batch_, -1);
    if (trunk_) {
      trunk_->bind_input(0, loaded.pixels);
      trunk_->forward();
      for (size_t o = 0; o < trunk_->output_count(); ++o) batch.inputs.push_back(trunk_->output(o).as<float>());
    }
    if (pass_pictures_) batch.inputs.push_back(loaded.pixels);
    for (size_t i = 0; i < batch_ && at_ + i < real_; ++i) {
      if (loaded.errors[i].empty()) batch.labels[i] = source_.label(order_[at_ + i].index);
      else if (reported_.insert(order_[at_ + i].index).second) failures_.push_back(loaded.errors[i]);
    }
    at_ += batch_;
    return true;
  }

 private:
  const SampleSource& source_;
  size_t batch_, real_ = 0, at_ = 0;
  bool pass_pictures_;
  std::vector<std::string>& failures_;
  std::set<int64_t> reported_;
  std::optional<Plan> trunk_;
  std::vector<SampleRef> order_;
  std::unique_ptr<SampleStream> stream_;
};

}  // namespace

std::unique_ptr<Feed> make_cached_feed(const FeatureCache& cache, const SampleSource& source, size_t batch) {
  return std::make_unique<CachedFeed>(cache, source, batch);
}

std::unique_ptr<Feed> make_streamed_feed(const Graph& trunk, bool pass_pictures, const OpenDims& dims, const Backend& backend, int threads, const SampleSource& source, size_t batch,
                                         std::vector<std::string>& failures) {
  return std::make_unique<StreamedFeed>(trunk, pass_pictures, dims, backend, threads, source, batch, failures);
}

}  // namespace graft

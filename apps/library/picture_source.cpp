#include "apps/library/picture_source.h"

#include "apps/library/feature_folder.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

class LoaderStream final : public SampleStream {
 public:
  LoaderStream(const Pipeline& pipeline, std::vector<LoadRequest> requests, size_t batch, int threads, PixelForm form,
               const std::shared_ptr<DecodedPictures>& decoded)
      : pipeline_(pipeline),
        loader_(pipeline, std::move(requests), batch, threads, form, decoded),
        batch_(batch),
        floats_(static_cast<size_t>(pipeline.height() * pipeline.width() * pipeline.channels())) {}
  bool next(SampleBatch& batch) override {
    const Loader::Batch* loaded = loader_.next();
    if (!loaded) return false;
    batch = {loaded->pixels.data(), loaded->count, floats_, loaded->errors, {}};
    if (!loaded->bytes.empty()) {
      batch.bytes = {loaded->bytes.data(), loaded->turns.data(), pipeline_.table().data(), static_cast<int64_t>(batch_),
                     pipeline_.height(),   pipeline_.width(),    pipeline_.channels()};
    }
    return true;
  }

 private:
  const Pipeline& pipeline_;
  Loader loader_;
  size_t batch_, floats_;
};

}  // namespace

std::unique_ptr<SampleStream> PictureSource::stream(std::vector<SampleRef> order, size_t batch) const {
  return stream_of(order, batch, PixelForm::floats);
}

std::unique_ptr<SampleStream> PictureSource::byte_stream(const std::vector<SampleRef>& order, size_t batch) const {
  return stream_of(order, batch, PixelForm::bytes);
}

LoadRequest PictureSource::request(const SampleRef& ref) const {
  return {items_[static_cast<size_t>(ref.index)].path, mix(mix(seed_, ref.variant), static_cast<uint64_t>(ref.index))};
}

std::vector<std::optional<ContentKey>> PictureSource::content_keys(const std::vector<SampleRef>& samples) const {
  std::vector<std::optional<ContentKey>> keys(samples.size());
  for (const bool plain : {true, false}) {
    const std::string& text = plain ? evaluation_text_ : training_text_;
    if (text.empty()) continue;
    std::vector<LoadRequest> requests;
    std::vector<size_t> places;
    for (size_t i = 0; i < samples.size(); ++i) {
      if ((samples[i].variant == 0) != plain) continue;
      requests.push_back(request(samples[i]));
      if (plain) requests.back().random_key = 0;  // nothing is drawn
      places.push_back(i);
    }
    const auto found = picture_keys(requests, text, threads_);
    for (size_t i = 0; i < places.size(); ++i) keys[places[i]] = found[i];
  }
  return keys;
}

bool PictureSource::is_unchanged(const SampleRef& sample) const {
  return graft::is_unchanged(items_[static_cast<size_t>(sample.index)].path);
}

std::unique_ptr<SampleStream> PictureSource::stream_of(const std::vector<SampleRef>& order, size_t batch,
                                                       PixelForm form) const {
  const bool plain = !order.empty() && order.front().variant == 0;
  std::vector<LoadRequest> requests;
  for (const SampleRef& ref : order) {
    if ((ref.variant == 0) != plain) throw Error("evaluation and training views cannot share a stream");
    requests.push_back(request(ref));
  }
  return std::make_unique<LoaderStream>(plain ? evaluation_ : training_, std::move(requests), batch, threads_, form,
                                        decoded_);
}

}  // namespace graft

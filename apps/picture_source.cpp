#include "apps/picture_source.h"

#include "augment/loader.h"
#include "runtime/base/error.h"
#include "runtime/base/random.h"

namespace graft::app {
namespace {

class LoaderStream final : public SampleStream {
 public:
  LoaderStream(const Pipeline& pipeline, std::vector<LoadRequest> requests, size_t batch) : loader_(pipeline, std::move(requests), batch), floats_(static_cast<size_t>(pipeline.height() * pipeline.width() * pipeline.channels())) {}
  bool next(SampleBatch& batch) override {
    const Loader::Batch* loaded = loader_.next();
    if (!loaded) return false;
    batch = {loaded->pixels.data(), loaded->count, floats_, loaded->errors};
    return true;
  }

 private:
  Loader loader_;
  size_t floats_;
};

}  // namespace

std::unique_ptr<SampleStream> PictureSource::stream(std::vector<SampleRef> order, size_t batch) const {
  const bool plain = !order.empty() && order.front().variant == 0;
  std::vector<LoadRequest> requests;
  for (const SampleRef& ref : order) {
    if ((ref.variant == 0) != plain) throw Error("evaluation and training views cannot share a stream");
    requests.push_back({items_[static_cast<size_t>(ref.index)].path, mix(mix(seed_, ref.variant), static_cast<uint64_t>(ref.index))});
  }
  return std::make_unique<LoaderStream>(plain ? evaluation_ : training_, std::move(requests), batch);
}

}  // namespace graft::app

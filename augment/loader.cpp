#include "augment/loader.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/core/processors.h"

namespace graft {
namespace {

constexpr size_t kBatchesAhead = 3;  // one in the caller's hands, two in work

/// A slot without a picture gets another one's pixels: blank ones would enter the statistics of batch norms.
void stand_in(Loader::Batch& batch) {
  const auto good = [&](size_t i) { return batch.errors[i].empty(); };
  size_t from = 0;
  while (from < batch.count && !good(from)) ++from;
  if (from == batch.count) return;
  const size_t slots = batch.errors.size(), floats = batch.pixels.size() / slots, bytes = batch.bytes.size() / slots;
  for (size_t i = 0; i < batch.count; ++i) {
    if (good(i)) {
      from = i;
      continue;
    }
    std::copy_n(batch.pixels.data() + from * floats, floats, batch.pixels.data() + i * floats);
    std::copy_n(batch.bytes.data() + from * bytes, bytes, batch.bytes.data() + i * bytes);
    if (bytes > 0) batch.turns[i] = batch.turns[from];
  }
}

}  // namespace

Loader::Loader(const Pipeline& pipeline, std::vector<LoadRequest> requests, size_t batch_size, int threads,
               PixelForm form, std::shared_ptr<DecodedPictures> decoded)
    : pipeline_(pipeline),
      requests_(std::move(requests)),
      batch_size_(batch_size),
      batches_((requests_.size() + batch_size - 1) / batch_size),
      form_(form),
      decoded_(std::move(decoded)),
      slots_(kBatchesAhead) {
  if (form == PixelForm::bytes && pipeline.views() != 1)
    throw Error("pictures as bytes have one view", {}, ErrorCode::internal);
  const size_t floats = batch_size_ * pipeline.views() * view_size();
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (form_ == PixelForm::floats) {
      slot.batch.pixels.resize(floats);
    } else {
      slot.batch.bytes.resize(floats);
      slot.batch.turns.resize(batch_size_);
    }
    slot.batch.errors.resize(batch_size_);
    slot.batch.first = i * batch_size_;
    slot.missing = std::min(batch_size_, requests_.size() - std::min(requests_.size(), slot.batch.first));
  }
  const unsigned count = threads > 0 ? static_cast<unsigned>(threads) : static_cast<unsigned>(usable_processors());
  for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& t : threads_) t.join();
}

size_t Loader::view_size() const {
  return static_cast<size_t>(pipeline_.height() * pipeline_.width() * pipeline_.channels());
}

std::shared_ptr<const Image> Loader::shared_picture(const LoadRequest& wanted) const {
  const DecodeOptions& options = pipeline_.decoding();
  if (wanted.bytes) return std::make_shared<const Image>(decode_image(*wanted.bytes, options));
  if (!decoded_) return std::make_shared<const Image>(decode_image(wanted.path, options));
  auto known = decoded_->find(wanted.path, options);
  return known ? known : decoded_->keep(wanted.path, options, decode_image(wanted.path, options));
}

WarpedImage Loader::picture(const LoadRequest& wanted) const {
  if (wanted.bytes) return WarpedImage(EncodedPicture(*wanted.bytes, pipeline_.decoding()));
  if (decoded_) {
    if (auto known = decoded_->find(wanted.path, pipeline_.decoding())) return WarpedImage(std::move(known));
    if (decoded_->has_room()) return WarpedImage(shared_picture(wanted));
  }
  return WarpedImage(EncodedPicture(wanted.path, pipeline_.decoding()));
}

void Loader::load_one(size_t request, Batch& batch, size_t at) const {
  const size_t views = pipeline_.views(), floats = views * view_size();
  const LoadRequest& wanted = requests_[request];
  try {
    if (views > 1) {
      const auto decoded = shared_picture(wanted);
      for (size_t view = 0; view < views; ++view)
        pipeline_.normalise(pipeline_.transform(WarpedImage(decoded), wanted.random_key, view),
                            batch.pixels.data() + at * floats + view * view_size());
    } else {
      const Image image = pipeline_.transform(picture(wanted), wanted.random_key);
      if (form_ == PixelForm::floats) {
        pipeline_.normalise(image, batch.pixels.data() + at * floats);
      } else {
        pipeline_.pack(image, batch.bytes.data() + at * floats);
        batch.turns[at] = static_cast<uint8_t>((image.mirrored ? PictureBytes::kMirrored : 0) |
                                               (image.upside_down ? PictureBytes::kUpsideDown : 0));
      }
    }
    batch.errors[at].clear();
  } catch (const std::exception& e) {
    if (form_ == PixelForm::floats)
      std::fill_n(batch.pixels.data() + at * floats, floats, 0.0f);
    else
      batch.turns[at] = PictureBytes::kBlank;
    batch.errors[at] = wanted.bytes && !wanted.path.empty() ? wanted.path + ": " + e.what() : e.what();
  }
}

void Loader::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] {
      return stopping_ ||
             (next_request_ < requests_.size() && next_request_ / batch_size_ < recycled() + kBatchesAhead);
    });
    if (stopping_) return;
    const size_t request = next_request_++;
    Slot& slot = slots_[request / batch_size_ % kBatchesAhead];
    lock.unlock();
    load_one(request, slot.batch, request % batch_size_);
    lock.lock();
    if (--slot.missing == 0) ready_.notify_all();
  }
}

const Loader::Batch* Loader::next() {
  std::unique_lock lock(mutex_);
  if (delivered_ > 0) {  // the batch handed out before goes back into work
    Slot& old = slots_[(delivered_ - 1) % kBatchesAhead];
    old.batch.first = (delivered_ - 1 + kBatchesAhead) * batch_size_;
    old.missing = std::min(batch_size_, requests_.size() - std::min(requests_.size(), old.batch.first));
  }
  if (delivered_ == batches_) return nullptr;
  Slot& slot = slots_[delivered_ % kBatchesAhead];
  ++delivered_;
  work_.notify_all();
  ready_.wait(lock, [&] { return slot.missing == 0; });
  slot.batch.count = std::min(batch_size_, requests_.size() - slot.batch.first);
  stand_in(slot.batch);
  std::fill(slot.batch.pixels.begin() + static_cast<int64_t>(slot.batch.count * slot.batch.pixels.size() / batch_size_),
            slot.batch.pixels.end(), 0.0f);
  for (size_t i = slot.batch.count; i < slot.batch.turns.size(); ++i) slot.batch.turns[i] = PictureBytes::kBlank;
  return &slot.batch;
}

}  // namespace graft

#include "finetune/training/picture_prefetcher.h"

#include <cstring>

namespace graft {

PicturePrefetcher::PicturePrefetcher(Plan& plan, size_t input)
    : device_(*plan.backend().device()),
      kernels_(*plan.backend().training_kernels()),
      input_(static_cast<float*>(plan.keep_input(input))) {}

/// The first batch tells how large they all are, and how values follow from bytes.
void PicturePrefetcher::allocate(const PictureBytes& first) {
  on_device_ = first;
  pixels_ = static_cast<size_t>(first.pictures * first.height * first.width * first.channels);
  const size_t bytes = pixels_ + static_cast<size_t>(first.pictures);
  buffer_ = std::make_unique<PrefetchBuffer>(device_, bytes);
  staged_ = DeviceBuffer(device_, bytes);
  table_ = DeviceBuffer(device_, static_cast<size_t>(first.channels) * 256 * sizeof(float));
  device_.upload(table_.data(), first.table, table_.bytes());
  device_.synchronize();
  on_device_.pixels = staged_.as<uint8_t>();
  on_device_.turns = on_device_.pixels + pixels_;
  on_device_.table = table_.as<float>();
}

void PicturePrefetcher::prefetch(const PictureBytes& pictures) {
  if (!buffer_) allocate(pictures);
  auto* const staging = static_cast<uint8_t*>(buffer_->next_staging());
  std::memcpy(staging, pictures.pixels, pixels_);
  std::memcpy(staging + pixels_, pictures.turns, static_cast<size_t>(pictures.pictures));
  buffer_->prefetch();
  pending_ = true;
}

void PicturePrefetcher::stage() {
  buffer_->consume(staged_.data());
  kernels_.normalise(on_device_, input_);
  pending_ = false;
}

}  // namespace graft

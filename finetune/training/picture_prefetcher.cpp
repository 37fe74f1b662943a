#include "finetune/training/picture_prefetcher.h"

#include <cstring>

namespace graft {

std::unique_ptr<PicturePrefetcher> PicturePrefetcher::make(Plan& plan, size_t input) {
  const Backend& backend = plan.backend();
  const auto* pictures = dynamic_cast<const DevicePictures*>(backend.extension(DevicePictures::kName));
  if (!backend.memory() || !pictures) return nullptr;
  return std::unique_ptr<PicturePrefetcher>(
      new PicturePrefetcher(*backend.memory(), *pictures, static_cast<float*>(plan.keep_input(input))));
}

PicturePrefetcher::~PicturePrefetcher() {
  if (!room_) return;
  for (void* p : {room_, taken_, table_}) memory_.release(p);
  for (void* p : host_) memory_.release_host(p);
}

/// The first batch tells how large they all are, and how values follow from bytes.
void PicturePrefetcher::make_room(const PictureBytes& pictures) {
  there_ = pictures;
  pixels_ = static_cast<size_t>(pictures.pictures * pictures.height * pictures.width * pictures.channels);
  const size_t numbers = static_cast<size_t>(pictures.channels) * 256 * sizeof(float);
  room_ = memory_.allocate(bytes());
  taken_ = memory_.allocate(bytes());
  table_ = memory_.allocate(numbers);
  for (void*& host : host_) host = memory_.allocate_host(bytes());
  memory_.upload(table_, pictures.table, numbers);
  memory_.wait();
  there_.pixels = static_cast<const uint8_t*>(taken_);
  there_.turns = there_.pixels + pixels_;
  there_.table = static_cast<const float*>(table_);
}

void PicturePrefetcher::send(const PictureBytes& pictures) {
  if (!room_) make_room(pictures);
  turn_ = 1 - turn_;
  auto* const host = static_cast<uint8_t*>(host_[turn_]);
  std::memcpy(host, pictures.pixels, pixels_);
  std::memcpy(host + pixels_, pictures.turns, static_cast<size_t>(pictures.pictures));
  memory_.send_beside(room_, host, bytes());
  sent_ = true;
}

void PicturePrefetcher::take() {
  memory_.take(taken_, room_, bytes());
  pictures_.draw(there_, input_);
  sent_ = false;
}

}  // namespace graft

#include "finetune/training/device_pictures.h"

#include "runtime/cuda/device_backend.h"

namespace graft::cuda {
namespace {

struct Normalise {
  PictureBytes from;
  float* to;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const int64_t c = i % from.channels, pixel = i / from.channels, x = pixel % from.width, row = pixel / from.width,
                  y = row % from.height, picture = row / from.height;
    const int turn = from.turns[picture];
    const int64_t left = turn & PictureBytes::kMirrored ? from.width - 1 - x : x,
                  top = turn & PictureBytes::kUpsideDown ? from.height - 1 - y : y;
    const int byte = from.pixels[((picture * from.height + top) * from.width + left) * from.channels + c];
    to[i] = turn & PictureBytes::kBlank ? 0.0f : from.table[c * 256 + byte];
  }
};

class Pictures final : public DevicePictures {
 public:
  explicit Pictures(const Launcher& launcher) : launcher_(launcher) {}
  void normalise(const PictureBytes& pictures, float* to) const override {
    launcher_.each(pictures.pictures * pictures.height * pictures.width * pictures.channels, Normalise{pictures, to});
  }

 private:
  const Launcher& launcher_;
};

const ExtensionEntry kPictures(DevicePictures::kName,
                               [](const Launcher& launcher, const Device&) -> std::unique_ptr<BackendExtension> {
                                 return std::make_unique<Pictures>(launcher);
                               });

}  // namespace
}  // namespace graft::cuda

#include "finetune/cuda/training_kernels.h"

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

}  // namespace

void normalise_pictures(const PictureBytes& pictures, float* to, const Launcher& launcher) {
  launcher.each(pictures.pictures * pictures.height * pictures.width * pictures.channels, Normalise{pictures, to});
}

}  // namespace graft::cuda

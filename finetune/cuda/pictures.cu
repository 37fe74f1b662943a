#include "finetune/cuda/training_kernels.h"

namespace graft::cuda {
namespace {

struct Normalise {
  PictureBytes from;
  float* to;
  GRAFT_DEVICE void operator()(int64_t i) const { to[i] = from.value(i); }
};

}  // namespace

void normalise_pictures(const PictureBytes& pictures, float* to, const Launcher& launcher) {
  launcher.each(pictures.elements(), Normalise{pictures, to});
}

}  // namespace graft::cuda

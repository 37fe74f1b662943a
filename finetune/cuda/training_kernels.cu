#include "finetune/cuda/training_kernels.h"

#include "runtime/cuda/device_backend.h"

namespace graft::cuda {
namespace {

class DeviceTrainingKernels final : public TrainingKernels {
 public:
  explicit DeviceTrainingKernels(const Launcher& launcher) : launcher_(launcher) {}
  bool has_optimizer(const std::string& name) const override { return has_fused_optimizer(name); }
  std::unique_ptr<FusedOptimizer> make_optimizer(const Choice& optimizer,
                                                 const std::vector<ParameterView>& parameters) const override {
    return make_fused_optimizer(optimizer, parameters, launcher_);
  }
  std::unique_ptr<MultiTensor> make_multi_tensor(const std::vector<int64_t>& counts) const override {
    return cuda::make_multi_tensor(counts, launcher_);
  }
  bool has_loss(const std::string& name) const override { return has_loss_kernel(name); }
  std::unique_ptr<LossKernel> make_loss(const Choice& loss, const std::vector<float>& class_weights, int64_t rows,
                                        int64_t outputs) const override {
    return make_loss_kernel(loss, class_weights, rows, outputs, launcher_);
  }
  void normalise(const PictureBytes& pictures, float* to) const override {
    normalise_pictures(pictures, to, launcher_);
  }

 private:
  const Launcher& launcher_;
};

const TrainingKernelsEntry kEntry([](const Launcher& launcher) -> std::unique_ptr<const TrainingKernels> {
  return std::make_unique<DeviceTrainingKernels>(launcher);
});

}  // namespace
}  // namespace graft::cuda

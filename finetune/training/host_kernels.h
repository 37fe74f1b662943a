#pragma once

#include "finetune/losses/loss.h"
#include "finetune/optimizers/optimizer.h"
#include "runtime/core/training_kernels.h"

namespace graft {

/// MultiTensor in the program's memory. Sums run over the same pieces whatever the number of threads.
std::unique_ptr<MultiTensor> make_host_multi_tensor(const std::vector<int64_t>& counts);

/// The processor's training kernels, around the loss and the optimizer of one training. All work is done when a call
/// returns.
class HostKernels final : public TrainingKernels {
 public:
  /// `slots` is the optimizer's state for these parameters. All outlive this object and what it makes.
  HostKernels(const Loss& loss, Optimizer& optimizer, std::vector<Parameter>& parameters, OptimizerState& slots)
      : loss_(loss), optimizer_(optimizer), parameters_(parameters), slots_(slots) {}

  bool has_optimizer(const std::string&) const override { return true; }
  /// The optimizer of the constructor, on its parameters and slots, in whose order the views are. The parameters'
  /// gradients are from then on where the views say.
  std::unique_ptr<FusedOptimizer> make_optimizer(const Choice& optimizer,
                                                 const std::vector<ParameterView>& parameters) const override;
  std::unique_ptr<MultiTensor> make_multi_tensor(const std::vector<int64_t>& counts) const override {
    return make_host_multi_tensor(counts);
  }
  bool has_loss(const std::string&) const override { return true; }
  /// The loss of the constructor.
  std::unique_ptr<LossKernel> make_loss(const Choice& loss, const std::vector<float>& class_weights, int64_t rows,
                                        int64_t outputs) const override;
  void normalise(const PictureBytes& pictures, float* to) const override;

 private:
  const Loss& loss_;
  Optimizer& optimizer_;
  std::vector<Parameter>& parameters_;
  OptimizerState& slots_;
};

}  // namespace graft

#include "finetune/training/step_target.h"

#include "runtime/core/processor_device.h"

namespace graft {

float* StepTarget::output(Plan& plan, size_t i) const {
  return device.shares_host_memory() ? plan.output(i).as<float>() : static_cast<float*>(plan.keep_output(i));
}

float* StepTarget::input(Plan& plan, size_t i) const {
  return device.shares_host_memory() ? plan.input(i).as<float>() : static_cast<float*>(plan.keep_input(i));
}

StepTargets choose_targets(const Backend& backend, const HostKernels& host, const Optimizer& optimizer,
                           const TrainOptions& options) {
  const TrainingKernels* const kernels = backend.training_kernels();
  const auto choose = [&](bool known) -> StepTarget {
    if (kernels && known) return {*kernels, device_of(backend)};
    return {host, processor_device()};
  };
  // A rule that minimises reads the gradients itself.
  const bool updates = kernels && !optimizer.minimises() && kernels->has_optimizer(options.optimizer.name);
  return {choose(kernels && kernels->has_loss(options.loss.name)), choose(updates), choose(true)};
}

}  // namespace graft

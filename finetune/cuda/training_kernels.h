#pragma once

#include "runtime/core/training_kernels.h"
#include "runtime/cuda/launcher.h"

namespace graft::cuda {

// The parts of a device's TrainingKernels, one file a part. `launcher` outlives what is made.

bool has_fused_optimizer(const std::string& name);
std::unique_ptr<FusedOptimizer> make_fused_optimizer(const Choice& optimizer,
                                                     const std::vector<ParameterView>& parameters,
                                                     const Launcher& launcher);
/// Rules that look at whole tensors before they move them; `values` are their settings.
using MakeLayerOptimizer = std::unique_ptr<FusedOptimizer>(const SettingValues& values,
                                                           const std::vector<ParameterView>& parameters,
                                                           const Launcher& launcher);
MakeLayerOptimizer make_lars, make_lamb, make_adafactor;

std::unique_ptr<MultiTensor> make_multi_tensor(const std::vector<int64_t>& counts, const Launcher& launcher);

bool has_loss_kernel(const std::string& name);
std::unique_ptr<LossKernel> make_loss_kernel(const Choice& loss, const std::vector<float>& class_weights, int64_t rows,
                                             int64_t outputs, const Launcher& launcher);

void normalise_pictures(const PictureBytes& pictures, float* to, const Launcher& launcher);

/// Of each parameter's elements.
inline std::vector<int64_t> counts_of(const std::vector<ParameterView>& parameters) {
  std::vector<int64_t> counts;
  for (const ParameterView& p : parameters) counts.push_back(p.count);
  return counts;
}

}  // namespace graft::cuda

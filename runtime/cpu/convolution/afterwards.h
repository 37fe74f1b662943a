#pragma once

#include <algorithm>
#include <memory>

#include "runtime/core/backend.h"
#include "runtime/cpu/channel_statistics.h"
#include "runtime/cpu/norm_gradient_sums.h"
#include "runtime/ops/convolution.h"

namespace graft::cpu {

// What a batch norm needs of a convolution's result, taken after it. `Numbers` says how rows of a type of numbers are
// read:
//   using Number = …;
//   static void measure(const ChannelStatistics&, const Number* y, void* scratch, float* mean, float* variance);
//   static void sum(const NormGradientSums&, Number* dz, const Number* u, const float* mean, const Number* x,
//                   void* scratch, const float* variance, float epsilon, float* d_scale, float* d_bias);

/// Outputs 1 and 2 of a convolution with statistics.
template <typename Numbers>
class MeasuredAfterwards final : public Kernel {
 public:
  MeasuredAfterwards(std::unique_ptr<Kernel> convolution, const Shape& y)
      : convolution_(std::move(convolution)), statistics_(y[0] * y[2] * y[3], y[1]) {}
  size_t scratch_bytes() const override { return std::max(convolution_->scratch_bytes(), statistics_.scratch_bytes()); }
  void refresh() override { convolution_->refresh(); }
  void run(const KernelArguments& a) override {
    convolution_->run({a.inputs, a.outputs.first(1), a.scratch, a.step});
    Numbers::measure(statistics_, static_cast<const typename Numbers::Number*>(a.outputs[0]), a.scratch,
                     static_cast<float*>(a.outputs[1]), static_cast<float*>(a.outputs[2]));
  }

 private:
  std::unique_ptr<Kernel> convolution_;
  ChannelStatistics statistics_;
};

/// Goes on through a norm when a convolution's gradient of its input is whole.
template <typename Numbers>
class NormAfterwards final : public Kernel {
 public:
  NormAfterwards(std::unique_ptr<Kernel> convolution, const ConvolutionBackwardData& op)
      : convolution_(std::move(convolution)),
        epsilon_(op.norm->epsilon),
        sums_(op.input_shape[0] * op.input_shape[2] * op.input_shape[3], op.input_shape[1], op.norm->activation) {}
  size_t scratch_bytes() const override { return std::max(convolution_->scratch_bytes(), sums_.scratch_bytes()); }
  void refresh() override { convolution_->refresh(); }
  void run(const KernelArguments& a) override {
    using Number = typename Numbers::Number;
    const size_t first = a.inputs.size() - 4;
    convolution_->run({a.inputs.first(first), a.outputs.first(1), a.scratch, a.step});
    const auto rows = [&](size_t i) { return static_cast<const Number*>(a.inputs[first + i]); };
    const auto floats = [&](size_t i) { return static_cast<const float*>(a.inputs[first + i]); };
    Numbers::sum(sums_, static_cast<Number*>(a.outputs[0]), rows(1), floats(2), rows(0), a.scratch, floats(3), epsilon_,
                 static_cast<float*>(a.outputs[1]), static_cast<float*>(a.outputs[2]));
  }

 private:
  std::unique_ptr<Kernel> convolution_;
  float epsilon_;
  NormGradientSums sums_;
};

}  // namespace graft::cpu

#include "runtime/cuda/host_kernel.h"

#include <algorithm>
#include <vector>

#include "runtime/cuda/numbers.h"

namespace graft::cuda {
namespace {

class HostKernel final : public Kernel {
 public:
  HostKernel(const KernelRequest& request, const Device& device, const Backend& host)
      // Nothing is overwritten in place: inputs and outputs have staging buffers of their own.
      : kernel_(host.make_kernel({request.op, known(request.inputs), as_floats(request.outputs, made_), -1})),
        device_(device),
        scratch_(device, kernel_->scratch_bytes()) {
    for (const Operand& o : request.inputs) inputs_.push_back(side(o));
    for (const Operand& o : request.outputs) outputs_.push_back(side(o));
    in_.resize(inputs_.size());
    out_.resize(outputs_.size());
  }
  bool can_be_captured() const override { return false; }
  void run(const KernelArguments& a) override {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const Side& s = inputs_[i];
      in_[i] = s.content ? s.content : s.values.data();
      if (s.widened) in_[i] = s.widened.data();
      if (s.values && a.inputs[i]) device_.download(s.values.data(), a.inputs[i], s.bytes);
      if (!a.inputs[i]) in_[i] = nullptr;
    }
    device_.synchronize();
    for (const Side& s : inputs_) s.widen();
    for (size_t i = 0; i < outputs_.size(); ++i)
      out_[i] = (outputs_[i].widened ? outputs_[i].widened : outputs_[i].values).data();
    kernel_->run({in_, out_, scratch_.data(), a.step});
    for (const Side& s : outputs_) s.narrow();
    for (size_t i = 0; i < outputs_.size(); ++i)
      device_.upload(a.outputs[i], outputs_[i].values.data(), outputs_[i].bytes);
    device_.synchronize();
  }

 private:
  struct Side {
    size_t bytes = 0;
    const void* content = nullptr;  // constants that never change are read where they are
    StagingBuffer values;
    StagingBuffer widened;  // of halves, with which the processor does not compute: the same elements as floats
    DType dtype = DType::f32;

    void widen() const {
      if (!widened) return;
      visit_real(dtype, [&](auto tag) {
        using T = decltype(tag);
        for (size_t i = 0; i < bytes / sizeof(T); ++i)
          static_cast<float*>(widened.data())[i] = value_of(static_cast<const T*>(values.data())[i]);
      });
    }
    void narrow() const {
      if (!widened) return;
      visit_real(dtype, [&](auto tag) {
        using T = decltype(tag);
        for (size_t i = 0; i < bytes / sizeof(T); ++i)
          static_cast<T*>(values.data())[i] = rounded<T>(static_cast<const float*>(widened.data())[i]);
      });
    }
  };

  static bool is_half(DType dtype) { return dtype == DType::f16 || dtype == DType::bf16; }
  /// What is trained changes on the device: the processor must not rely on its own copy. Nor has it one of a half
  /// constant as floats.
  static std::span<const Operand> as_floats(std::span<const Operand> from, std::vector<Operand>& to) {
    to.assign(from.begin(), from.end());
    for (Operand& o : to) {
      if (o.mutable_constant || is_half(o.dtype)) o.constant = nullptr;
      if (is_half(o.dtype)) o.dtype = DType::f32;
    }
    return to;
  }
  std::span<const Operand> known(std::span<const Operand> inputs) { return as_floats(inputs, known_); }
  Side side(const Operand& o) const {
    Side s;
    if (!o.present) return s;
    s.bytes = static_cast<size_t>(o.shape.elements()) * size_of(o.dtype);
    s.dtype = o.dtype;
    const bool half = is_half(o.dtype);
    if (o.constant && !o.mutable_constant && !half)
      s.content = o.constant->raw();
    else
      s.values = StagingBuffer(device_, s.bytes);
    if (half) s.widened = StagingBuffer(device_, static_cast<size_t>(o.shape.elements()) * sizeof(float));
    return s;
  }

  std::vector<Operand> known_, made_;
  std::unique_ptr<Kernel> kernel_;
  const Device& device_;
  StagingBuffer scratch_;
  std::vector<Side> inputs_, outputs_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
};

}  // namespace

std::unique_ptr<Kernel> on_the_processor(const KernelRequest& request, const Device& device, const Backend& host) {
  return std::make_unique<HostKernel>(request, device, host);
}

}  // namespace graft::cuda

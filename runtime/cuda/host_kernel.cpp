#include "runtime/cuda/host_kernel.h"

#include <algorithm>
#include <vector>

#include "runtime/cuda/numbers.h"

namespace graft::cuda {
namespace {

class HostKernel final : public Kernel {
 public:
  HostKernel(const KernelRequest& request, const DeviceMemory& memory, const Backend& host)
      // Nothing is overwritten in place: inputs and outputs have room of their own here.
      : kernel_(host.make_kernel({request.op, known(request.inputs), as_floats(request.outputs, made_), -1})),
        memory_(memory),
        scratch_(room(kernel_->scratch_bytes())) {
    for (const Operand& o : request.inputs) inputs_.push_back(side(o));
    for (const Operand& o : request.outputs) outputs_.push_back(side(o));
    in_.resize(inputs_.size());
    out_.resize(outputs_.size());
  }
  bool can_be_captured() const override { return false; }
  void run(const KernelArguments& a) override {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const Side& s = inputs_[i];
      in_[i] = s.content ? s.content : s.room.get();
      if (s.widened) in_[i] = s.widened.get();
      if (s.room && a.inputs[i]) memory_.download(s.room.get(), a.inputs[i], s.bytes);
      if (!a.inputs[i]) in_[i] = nullptr;
    }
    memory_.wait();
    for (const Side& s : inputs_) s.widen();
    for (size_t i = 0; i < outputs_.size(); ++i)
      out_[i] = (outputs_[i].widened ? outputs_[i].widened : outputs_[i].room).get();
    kernel_->run({in_, out_, scratch_.get(), a.step});
    for (const Side& s : outputs_) s.narrow();
    for (size_t i = 0; i < outputs_.size(); ++i)
      memory_.upload(a.outputs[i], outputs_[i].room.get(), outputs_[i].bytes);
    memory_.wait();
  }

 private:
  struct Release {
    const DeviceMemory* memory;
    void operator()(void* p) const { memory->release_host(p); }
  };
  using Room = std::unique_ptr<void, Release>;
  struct Side {
    size_t bytes = 0;
    const void* content = nullptr;  // constants that never change are read where they are
    Room room{nullptr, Release{nullptr}};
    // Of halves, with which the processor does not compute: the same elements as floats.
    Room widened{nullptr, Release{nullptr}};
    DType dtype = DType::f32;

    void widen() const {
      if (!widened) return;
      visit_real(dtype, [&](auto tag) {
        using T = decltype(tag);
        for (size_t i = 0; i < bytes / sizeof(T); ++i)
          static_cast<float*>(widened.get())[i] = value_of(static_cast<const T*>(room.get())[i]);
      });
    }
    void narrow() const {
      if (!widened) return;
      visit_real(dtype, [&](auto tag) {
        using T = decltype(tag);
        for (size_t i = 0; i < bytes / sizeof(T); ++i)
          static_cast<T*>(room.get())[i] = rounded<T>(static_cast<const float*>(widened.get())[i]);
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
  Room room(size_t bytes) const { return {memory_.allocate_host(std::max<size_t>(bytes, 1)), Release{&memory_}}; }
  Side side(const Operand& o) const {
    Side s;
    if (!o.present) return s;
    s.bytes = static_cast<size_t>(o.shape.elements()) * size_of(o.dtype);
    s.dtype = o.dtype;
    const bool half = is_half(o.dtype);
    if (o.constant && !o.mutable_constant && !half)
      s.content = o.constant->raw();
    else
      s.room = room(s.bytes);
    if (half) s.widened = room(static_cast<size_t>(o.shape.elements()) * sizeof(float));
    return s;
  }

  std::vector<Operand> known_, made_;
  std::unique_ptr<Kernel> kernel_;
  const DeviceMemory& memory_;
  Room scratch_;
  std::vector<Side> inputs_, outputs_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
};

}  // namespace

std::unique_ptr<Kernel> on_the_processor(const KernelRequest& request, const DeviceMemory& memory,
                                         const Backend& host) {
  return std::make_unique<HostKernel>(request, memory, host);
}

}  // namespace graft::cuda

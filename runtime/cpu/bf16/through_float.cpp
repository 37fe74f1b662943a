#include "runtime/cpu/bf16/through_float.h"

#include <algorithm>
#include <vector>

#include "runtime/core/parallel.h"
#include "runtime/cpu/vector/bf16_kernels.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu::bf16 {
namespace {

/// An operand that is converted: its place in the scratch memory of floats, and how many lie there.
struct Copied {
  size_t index;
  int64_t at, elements;
};

/// Elements from an operand's first to its last, as they lie.
int64_t span_of(const Operand& o) {
  if (o.shape.elements() == 0) return 0;
  int64_t last = 0;
  for (size_t i = 0; i < o.shape.size(); ++i) last += (o.shape[i] - 1) * o.strides[i];
  return last + 1;
}

class ThroughFloat final : public Kernel {
 public:
  ThroughFloat(const KernelRequest& r, const Backend& floats) {
    std::vector<Operand> inputs(r.inputs.begin(), r.inputs.end()), outputs(r.outputs.begin(), r.outputs.end());
    int64_t end = 0;
    const auto copy = [&](std::vector<Operand>& operands, std::vector<Copied>& copied) {
      for (size_t i = 0; i < operands.size(); ++i) {
        Operand& o = operands[i];
        if (!o.present || o.dtype != DType::bf16) continue;
        o.dtype = DType::f32;
        o.constant = nullptr;
        copied.push_back({i, end, span_of(o)});
        end += (copied.back().elements + kAlignment - 1) / kAlignment * kAlignment;
      }
    };
    copy(inputs, inputs_);
    copy(outputs, outputs_);
    kernel_ = floats.make_kernel({r.op, inputs, outputs, -1});
    own_scratch_ = static_cast<size_t>(end) * sizeof(float);
    input_pointers_.resize(inputs.size());
    output_pointers_.resize(outputs.size());
  }
  size_t scratch_bytes() const override { return own_scratch_ + kernel_->scratch_bytes(); }
  void refresh() override { kernel_->refresh(); }
  void run(const KernelArguments& a) override {
    auto* const floats = static_cast<float*>(a.scratch);
    std::copy(a.inputs.begin(), a.inputs.end(), input_pointers_.begin());
    std::copy(a.outputs.begin(), a.outputs.end(), output_pointers_.begin());
    for (const Copied& c : inputs_) {
      const auto* x = static_cast<const uint16_t*>(a.inputs[c.index]);
      parallel_for(c.elements, kGrain, [&](int64_t first, int64_t last) {
        bf16_kernels()->loops.widen(last - first, x + first, floats + c.at + first);
      });
      input_pointers_[c.index] = floats + c.at;
    }
    for (const Copied& c : outputs_) output_pointers_[c.index] = floats + c.at;
    kernel_->run({input_pointers_, output_pointers_, static_cast<std::byte*>(a.scratch) + own_scratch_, a.step});
    for (const Copied& c : outputs_) {
      auto* y = static_cast<uint16_t*>(a.outputs[c.index]);
      parallel_for(c.elements, kGrain, [&](int64_t first, int64_t last) {
        bf16_kernels()->loops.narrow(last - first, floats + c.at + first, y + first);
      });
    }
  }

 private:
  static constexpr int64_t kAlignment = kArenaAlignment / sizeof(float);
  std::unique_ptr<Kernel> kernel_;
  std::vector<Copied> inputs_, outputs_;
  std::vector<const void*> input_pointers_;
  std::vector<void*> output_pointers_;
  size_t own_scratch_ = 0;
};

}  // namespace

bool has_bf16(const KernelRequest& r) {
  const auto is_bf16 = [](const Operand& o) { return o.present && o.dtype == DType::bf16; };
  return std::any_of(r.inputs.begin(), r.inputs.end(), is_bf16) ||
         std::any_of(r.outputs.begin(), r.outputs.end(), is_bf16);
}

std::unique_ptr<Kernel> through_float(const KernelRequest& request, const Backend& floats) {
  return std::make_unique<ThroughFloat>(request, floats);
}

}  // namespace graft::cpu::bf16

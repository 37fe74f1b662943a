// Conversions, activations and sums of bfloat16 values that lie alike.
#include <algorithm>

#include "runtime/core/parallel.h"
#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/vector/bf16_kernels.h"
#include "runtime/cpu/vector/functions.h"
#include "runtime/cpu/walk.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/unary.h"

namespace graft::cpu::bf16 {
namespace {

constexpr int64_t kPiece = 2048;  // numbers that become floats at once

bool all_bf16(const KernelRequest& r) {
  const auto is_bf16 = [](const Operand& o) { return o.dtype == DType::bf16; };
  return std::all_of(r.inputs.begin(), r.inputs.end(), is_bf16) &&
         std::all_of(r.outputs.begin(), r.outputs.end(), is_bf16);
}

bool alike(const Operand& a, const Operand& b) { return a.shape == b.shape && a.strides == b.strides; }

class CastKernel final : public Kernel {
 public:
  CastKernel(bool narrows, int64_t elements) : narrows_(narrows), elements_(elements) {}
  void run(const KernelArguments& a) override {
    parallel_for(elements_, kGrain, [&](int64_t first, int64_t last) {
      if (narrows_)
        bf16_kernels()->loops.narrow(last - first, static_cast<const float*>(a.inputs[0]) + first,
                                     static_cast<uint16_t*>(a.outputs[0]) + first);
      else
        bf16_kernels()->loops.widen(last - first, static_cast<const uint16_t*>(a.inputs[0]) + first,
                                    static_cast<float*>(a.outputs[0]) + first);
    });
  }

 private:
  bool narrows_;
  int64_t elements_;
};

std::unique_ptr<Kernel> make_cast(const Cast&, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const bool narrows = x.dtype == DType::f32 && y.dtype == DType::bf16,
             widens = x.dtype == DType::bf16 && y.dtype == DType::f32;
  if ((!narrows && !widens) || !alike(x, y)) return nullptr;
  return std::make_unique<CastKernel>(narrows, y.shape.elements());
}

/// Sums and products of values that lie alike.
class PairKernel final : public Kernel {
 public:
  PairKernel(const Binary& op, int64_t elements)
      : loop_(op.kind == Binary::Kind::add ? bf16_kernels()->loops.add : bf16_kernels()->loops.multiply),
        activation_(op.activation),
        elements_(elements) {}
  void run(const KernelArguments& args) override {
    const auto *a = static_cast<const uint16_t*>(args.inputs[0]), *b = static_cast<const uint16_t*>(args.inputs[1]);
    auto* y = static_cast<uint16_t*>(args.outputs[0]);
    parallel_for(elements_, kGrain, [&](int64_t first, int64_t last) {
      loop_(last - first, a + first, b + first, activation_, y + first);
    });
  }

 private:
  decltype(Bf16Loops::add) loop_;
  Activation activation_;
  int64_t elements_;
};

/// Channels-last pictures, and one number for each picture and channel: what squeeze-and-excitation multiplies by.
class GateKernel final : public Kernel {
 public:
  GateKernel(const Binary& op, const Shape& y, size_t pictures)
      : loop_(op.kind == Binary::Kind::add ? bf16_kernels()->loops.add : bf16_kernels()->loops.multiply),
        activation_(op.activation),
        channels_(y[1]),
        pixels_(y[2] * y[3]),
        all_pixels_(y[0] * pixels_),
        pictures_(pictures) {}
  void run(const KernelArguments& args) override {
    const auto *x = static_cast<const uint16_t*>(args.inputs[pictures_]),
               *gate = static_cast<const uint16_t*>(args.inputs[1 - pictures_]);
    auto* y = static_cast<uint16_t*>(args.outputs[0]);
    parallel_for(all_pixels_, std::max<int64_t>(1, kGrain / channels_), [&](int64_t first, int64_t last) {
      for (int64_t p = first; p < last; ++p)
        loop_(channels_, x + p * channels_, gate + p / pixels_ * channels_, activation_, y + p * channels_);
    });
  }

 private:
  decltype(Bf16Loops::add) loop_;
  Activation activation_;
  int64_t channels_, pixels_, all_pixels_;
  size_t pictures_;  // which input they are
};

std::unique_ptr<Kernel> make_binary_kernel(const Binary& op, const KernelRequest& r) {
  const Operand& y = r.outputs[0];
  if ((op.kind != Binary::Kind::add && op.kind != Binary::Kind::mul) || !all_bf16(r)) return nullptr;
  if (alike(r.inputs[0], y) && alike(r.inputs[1], y)) return std::make_unique<PairKernel>(op, y.shape.elements());
  for (const size_t pictures : {size_t{0}, size_t{1}}) {
    const Operand& gate = r.inputs[1 - pictures];
    if (y.shape.rank() != 4 || y.shape.elements() == 0 || !alike(r.inputs[pictures], y) || y.strides[1] != 1) continue;
    if (gate.shape == Shape{y.shape[0], y.shape[1], 1, 1} && gate.strides[1] == 1 && gate.strides[0] == y.shape[1])
      return std::make_unique<GateKernel>(op, y.shape, pictures);
  }
  return nullptr;
}

class ActivationKernel final : public Kernel {
 public:
  ActivationKernel(Activation activation, int64_t elements) : activation_(activation), elements_(elements) {}
  void run(const KernelArguments& args) override {
    const auto* x = static_cast<const uint16_t*>(args.inputs[0]);
    auto* y = static_cast<uint16_t*>(args.outputs[0]);
    parallel_for(elements_, kGrain, [&](int64_t first, int64_t last) {
      bf16_kernels()->loops.activate(last - first, x + first, activation_, y + first);
    });
  }

 private:
  Activation activation_;
  int64_t elements_;
};

/// Any function of one number, in pieces that are widened and stay in the first cache.
class FunctionKernel final : public Kernel {
 public:
  FunctionKernel(const Unary& op, VectorFunctions::Value loop, int64_t elements)
      : loop_(loop), alpha_(op.alpha), beta_(op.beta), elements_(elements) {}
  void run(const KernelArguments& args) override {
    const auto* x = static_cast<const uint16_t*>(args.inputs[0]);
    auto* y = static_cast<uint16_t*>(args.outputs[0]);
    parallel_for(elements_, kGrain, [&](int64_t first, int64_t last) {
      alignas(64) float piece[kPiece];
      for (int64_t i = first; i < last; i += kPiece) {
        const int64_t n = std::min(kPiece, last - i);
        bf16_kernels()->loops.widen(n, x + i, piece);
        loop_(n, piece, alpha_, beta_, piece);
        bf16_kernels()->loops.narrow(n, piece, y + i);
      }
    });
  }

 private:
  VectorFunctions::Value loop_;
  float alpha_, beta_;
  int64_t elements_;
};

std::unique_ptr<Kernel> make_unary(const Unary& op, const KernelRequest& r) {
  if (!all_bf16(r) || !alike(r.inputs[0], r.outputs[0])) return nullptr;
  const Activation activation = as_activation(op);
  const int64_t elements = r.outputs[0].shape.elements();
  if (activation.kind != Activation::Kind::none) return std::make_unique<ActivationKernel>(activation, elements);
  const auto loop = vector_functions().value[static_cast<size_t>(op.kind)];
  return loop ? std::make_unique<FunctionKernel>(op, loop, elements) : nullptr;
}

class ActivationGradientKernel final : public Kernel {
 public:
  ActivationGradientKernel(Activation activation, int64_t elements) : activation_(activation), elements_(elements) {}
  void run(const KernelArguments& args) override {
    const auto *dy = static_cast<const uint16_t*>(args.inputs[0]), *y = static_cast<const uint16_t*>(args.inputs[1]);
    auto* dx = static_cast<uint16_t*>(args.outputs[0]);
    parallel_for(elements_, kGrain, [&](int64_t first, int64_t last) {
      bf16_kernels()->loops.activation_gradient(last - first, dy + first, y + first, activation_, dx + first);
    });
  }

 private:
  Activation activation_;
  int64_t elements_;
};

/// Any function's, in pieces as above.
class SlopeKernel final : public Kernel {
 public:
  SlopeKernel(const UnaryGradient& op, VectorFunctions::Slope loop, int64_t elements)
      : loop_(loop), alpha_(op.alpha), beta_(op.beta), elements_(elements) {}
  void run(const KernelArguments& args) override {
    const auto *dy = static_cast<const uint16_t*>(args.inputs[0]), *v = static_cast<const uint16_t*>(args.inputs[1]);
    auto* dx = static_cast<uint16_t*>(args.outputs[0]);
    parallel_for(elements_, kGrain, [&](int64_t first, int64_t last) {
      alignas(64) float gradient[kPiece], values[kPiece];
      for (int64_t i = first; i < last; i += kPiece) {
        const int64_t n = std::min(kPiece, last - i);
        bf16_kernels()->loops.widen(n, dy + i, gradient);
        bf16_kernels()->loops.widen(n, v + i, values);
        loop_(n, gradient, values, alpha_, beta_, gradient);
        bf16_kernels()->loops.narrow(n, gradient, dx + i);
      }
    });
  }

 private:
  VectorFunctions::Slope loop_;
  float alpha_, beta_;
  int64_t elements_;
};

std::unique_ptr<Kernel> make_unary_gradient(const UnaryGradient& op, const KernelRequest& r) {
  Unary function;
  function.kind = op.kind;
  function.alpha = op.alpha;
  function.beta = op.beta;
  const Activation activation = as_activation(function);
  const Operand& dx = r.outputs[0];
  if (!all_bf16(r) || !alike(r.inputs[0], dx) || !alike(r.inputs[1], dx)) return nullptr;
  if (activation.kind == Activation::Kind::none) {
    const auto loop = vector_functions().slope[static_cast<size_t>(op.kind)];
    return loop ? std::make_unique<SlopeKernel>(op, loop, dx.shape.elements()) : nullptr;
  }
  return std::make_unique<ActivationGradientKernel>(activation, dx.shape.elements());
}

}  // namespace

void register_elementwise(KernelTable& table) {
  table.add<Cast>(make_cast);
  table.add<Binary>(make_binary_kernel);
  table.add<Unary>(make_unary);
  table.add<UnaryGradient>(make_unary_gradient);
}

}  // namespace graft::cpu::bf16

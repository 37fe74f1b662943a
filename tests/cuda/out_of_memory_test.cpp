// A device whose memory is too small.
#include <gtest/gtest.h>

#include <cstdlib>

#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/device_backend.h"
#include "runtime/cuda/emulated_device.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/unary.h"
#include "runtime/plan/plan.h"

namespace graft {
namespace {

/// Counts what is allocated.
class SmallDevice final : public cuda::EmulatedDevice {
 public:
  SmallDevice(size_t available, int& held) : available_(available), held_(held) {}
  size_t available() const override { return available_; }

 private:
  void* allocate(MemoryKind kind, size_t bytes) const override {
    ++held_;
    return EmulatedDevice::allocate(kind, bytes);
  }
  void release(MemoryKind kind, void* address) const noexcept override {
    --held_;
    EmulatedDevice::release(kind, address);
  }
  size_t available_;
  int& held_;
};

cuda::DeviceParts parts_of(size_t available, int& held) {
  auto device = std::make_unique<SmallDevice>(available, held);
  cuda::DeviceParts parts;
  parts.target.emulated = &device->compute_stream();
  parts.multiprocessors = 2;
  parts.device = std::move(device);
  return parts;
}

/// Without a library: the processor computes convolutions.
class SmallBackend final : public cuda::DeviceBackend {
 public:
  SmallBackend(size_t available, int& held) : DeviceBackend(parts_of(available, held), DType::f32, cpu_backend()) {}
  std::string_view name() const override { return "small"; }
};

Graph network(bool trainable) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {kOpenDim, 16, 16, 16});
  const ValueId w = graph.add_constant("w", Tensor::zeros(DType::f32, {16, 16, 1, 1}));
  graph.value(w).trainable = trainable;
  graph.outputs = {
      graph.add("act", make_unary(Unary::Kind::relu), {graph.add("conv", std::make_shared<Convolution>(), {x, w})})};
  return graph;
}

std::string refusal(const std::function<void()>& compile) {
  try {
    compile();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(DeviceMemory, ARefusalNamesTheBatchThatFits) {
  int held = 0;
  for (const bool training : {false, true}) {
    const SmallBackend device(size_t{1} << 20, held);
    const auto compile = [&](int64_t batch) {
      if (training)
        (void)compile_training(network(true), {batch, 16, 16}, device);
      else
        (void)compile_inference(network(false), {batch, 16, 16}, device);
    };
    const std::string text = refusal([&] { compile(200); });
    const auto at = text.find("use batch ");
    ASSERT_NE(at, std::string::npos) << text;
    const int64_t fits = std::atoll(text.c_str() + at + 10);
    ASSERT_GT(fits, 1);
    ASSERT_LT(fits, 200);
    EXPECT_EQ(refusal([&] { compile(fits); }), "");
    EXPECT_NE(refusal([&] { compile(fits + 1); }).find("are free"), std::string::npos);
  }
}

TEST(DeviceMemory, NothingIsHeldOnceAPlanIsGone) {
  int held = 0;
  {
    const SmallBackend device(SIZE_MAX, held);
    const int before = held;
    for (int i = 0; i < 1000; ++i) {
      Plan plan = compile_inference(network(false), {2, 16, 16}, device);
      if (i % 100 == 0) plan.forward();
    }
    EXPECT_EQ(held, before);
  }
  EXPECT_EQ(held, 0);
}

}  // namespace
}  // namespace graft

// A device whose memory is too small.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/device_backend.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/unary.h"
#include "runtime/plan/plan.h"

namespace graft {
namespace {

class SmallMemory final : public DeviceMemory {
 public:
  explicit SmallMemory(size_t available, int& held) : available_(available), held_(held) {}
  void* allocate(size_t bytes) const override {
    ++held_;
    return std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  }
  void release(void* p) const noexcept override {
    --held_;
    std::free(p);
  }
  void* allocate_host(size_t bytes) const override { return allocate(bytes); }
  void release_host(void* p) const noexcept override { release(p); }
  void upload(void* device, const void* host, size_t bytes) const override { std::memcpy(device, host, bytes); }
  void download(void* host, const void* device, size_t bytes) const override { std::memcpy(host, device, bytes); }
  void send_beside(void* room, const void* host, size_t bytes) const override { std::memcpy(room, host, bytes); }
  void take(void* device, const void* room, size_t bytes) const override { std::memcpy(device, room, bytes); }
  void wait() const override {}
  void mark() const override {}
  void wait_for_mark() const override {}
  size_t available() const override { return available_; }

 private:
  size_t available_;
  int& held_;
};

class SmallDevice final : public cuda::DeviceBackend {
 public:
  SmallDevice(size_t available, int& held)
      : DeviceBackend(std::make_unique<SmallMemory>(available, held), nullptr, {nullptr, &emulated_}, 2, DType::f32,
                      cpu_backend()) {}
  std::string_view name() const override { return "small"; }

 private:
  cuda::EmulatedStream emulated_;
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

TEST(DeviceRoom, ARefusalNamesTheBatchThatFits) {
  int held = 0;
  for (const bool training : {false, true}) {
    const SmallDevice device(size_t{1} << 20, held);
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

TEST(DeviceRoom, NothingIsHeldOnceAPlanIsGone) {
  int held = 0;
  {
    const SmallDevice device(SIZE_MAX, held);
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

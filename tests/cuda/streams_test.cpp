// Buffers, streams and events: what owns memory, and what is ordered by what.
#include <gtest/gtest.h>

#include <array>
#include <type_traits>

#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/device_backend.h"
#include "runtime/cuda/emulated_device.h"
#include "runtime/ops/gemm.h"
#include "runtime/plan/input_prefetcher.h"

namespace graft {
namespace {

using cuda::EmulatedDevice;
using cuda::EmulatedStream;
constexpr auto kDeferred = EmulatedStream::Execution::deferred;

/// Counts what is allocated and released, by kind.
class CountingDevice final : public EmulatedDevice {
 public:
  CountingDevice() : EmulatedDevice(kDeferred, kDeferred) {}
  mutable std::array<int, 2> allocated{}, released{};

 private:
  void* allocate(MemoryKind kind, size_t bytes) const override {
    ++allocated[static_cast<size_t>(kind)];
    return EmulatedDevice::allocate(kind, bytes);
  }
  void release(MemoryKind kind, void* address) const noexcept override {
    ++released[static_cast<size_t>(kind)];
    EmulatedDevice::release(kind, address);
  }
};

template <typename B>
class Buffers : public testing::Test {};
using BufferTypes = testing::Types<DeviceBuffer, StagingBuffer>;
TYPED_TEST_SUITE(Buffers, BufferTypes);

template <typename B>
constexpr size_t kKind = static_cast<size_t>(std::is_same_v<B, StagingBuffer> ? MemoryKind::staging
                                                                              : MemoryKind::device);

TYPED_TEST(Buffers, ReleaseTheirMemoryOnce) {
  static_assert(!std::is_copy_constructible_v<TypeParam> && !std::is_copy_assignable_v<TypeParam>);
  static_assert(std::is_nothrow_move_constructible_v<TypeParam> && std::is_nothrow_move_assignable_v<TypeParam>);
  const CountingDevice device;
  {
    TypeParam first(device, 64);
    void* const address = first.data();
    TypeParam second(std::move(first));
    EXPECT_EQ(second.data(), address);
    EXPECT_EQ(second.bytes(), 64u);
    EXPECT_TRUE(second);
    EXPECT_FALSE(first);  // NOLINT: moved-from buffers are empty
    EXPECT_EQ(first.data(), nullptr);
    EXPECT_EQ(first.bytes(), 0u);
    EXPECT_EQ(device.released[kKind<TypeParam>], 0);
  }
  EXPECT_EQ(device.allocated[kKind<TypeParam>], 1);
  EXPECT_EQ(device.released[kKind<TypeParam>], 1);
}

TYPED_TEST(Buffers, AssignmentReleasesWhatWasThere) {
  const CountingDevice device;
  {
    TypeParam a(device, 8), b(device, 16);
    void* const address = b.data();
    a = std::move(b);
    EXPECT_EQ(device.released[kKind<TypeParam>], 1);
    EXPECT_EQ(a.data(), address);
    EXPECT_EQ(a.bytes(), 16u);
    a = TypeParam();
    EXPECT_EQ(device.released[kKind<TypeParam>], 2);
    EXPECT_FALSE(a);
  }
  EXPECT_EQ(device.allocated[kKind<TypeParam>], 2);
  EXPECT_EQ(device.released[kKind<TypeParam>], 2);
}

TYPED_TEST(Buffers, OfNoBytesHaveAnAddressOfTheirOwn) {
  const CountingDevice device;
  const TypeParam a(device, 0), b(device, 0);
  EXPECT_NE(a.data(), nullptr);
  EXPECT_NE(a.data(), b.data());
  EXPECT_EQ(a.bytes(), 0u);
}

/// A device both of whose streams run as late as they may.
class Streams : public testing::Test {
 protected:
  void upload(Stream& stream, const DeviceBuffer& to, const StagingBuffer& from) {
    device_.copy_async(to.data(), from.data(), to.bytes(), CopyDirection::host_to_device, stream);
  }
  void copy(Stream& stream, const DeviceBuffer& to, const DeviceBuffer& from) {
    device_.copy_async(to.data(), from.data(), to.bytes(), CopyDirection::device_to_device, stream);
  }
  int fetched(const DeviceBuffer& from) {
    int value = 0;
    device_.download(&value, from.data(), sizeof value);
    device_.synchronize();
    return value;
  }
  EmulatedDevice device_{kDeferred, kDeferred};
  Stream &compute_ = device_.compute_stream(), &copies_ = device_.copy_stream();
  StagingBuffer staging_{device_, sizeof(int)};
  DeviceBuffer arrived_{device_, sizeof(int)}, used_{device_, sizeof(int)};
};

TEST_F(Streams, RunNothingBeforeSomethingWaits) {
  *staging_.as<int>() = 1;
  upload(compute_, used_, staging_);
  *staging_.as<int>() = 2;  // against the rules: staging memory is read when the copy runs
  EXPECT_EQ(fetched(used_), 2);
}

TEST_F(Streams, ReadOtherHostMemoryWhenACopyIsQueued) {
  int value = 5;
  device_.upload(used_.data(), &value, sizeof value);
  value = 6;
  EXPECT_EQ(fetched(used_), 5);
}

TEST_F(Streams, WithoutAnEventOneStreamDoesNotWaitForTheOther) {
  *staging_.as<int>() = 3;
  upload(copies_, arrived_, staging_);
  copy(compute_, used_, arrived_);
  EXPECT_NE(fetched(used_), 3);
}

TEST_F(Streams, WithAnEventTheyDo) {
  const auto copied = device_.make_event();
  *staging_.as<int>() = 3;
  upload(copies_, arrived_, staging_);
  copied->record(copies_);
  compute_.wait(*copied);
  copy(compute_, used_, arrived_);
  EXPECT_EQ(fetched(used_), 3);
}

TEST_F(Streams, WhatIsQueuedBehindAnEventIsNotWaitedFor) {
  const auto copied = device_.make_event();
  const StagingBuffer later(device_, sizeof(int));
  *staging_.as<int>() = 3;
  *later.as<int>() = 4;
  upload(copies_, arrived_, staging_);
  copied->record(copies_);
  upload(copies_, arrived_, later);
  copied->synchronize();
  EXPECT_EQ(*arrived_.as<int>(), 3);  // the emulated device's memory can be looked at
  copies_.synchronize();
  EXPECT_EQ(*arrived_.as<int>(), 4);
}

TEST_F(Streams, ABufferIsNotOverwrittenBeforeItIsRead) {
  const auto copied = device_.make_event(), read = device_.make_event();
  const StagingBuffer later(device_, sizeof(int));
  *staging_.as<int>() = 3;
  *later.as<int>() = 4;
  upload(copies_, arrived_, staging_);
  copied->record(copies_);
  compute_.wait(*copied);
  copy(compute_, used_, arrived_);
  read->record(compute_);
  copies_.wait(*read);
  upload(copies_, arrived_, later);
  copies_.synchronize();  // runs the compute stream up to the event
  EXPECT_EQ(*used_.as<int>(), 3);
  EXPECT_EQ(*arrived_.as<int>(), 4);
}

TEST_F(Streams, AnEventStandsForItsLastRecord) {
  const auto event = device_.make_event();
  event->synchronize();  // never recorded: nothing to wait for
  compute_.wait(*event);
  *staging_.as<int>() = 7;
  event->record(compute_);
  upload(compute_, used_, staging_);
  event->synchronize();
  EXPECT_NE(*used_.as<int>(), 7);
  event->record(compute_);
  event->synchronize();
  EXPECT_EQ(*used_.as<int>(), 7);
}

TEST_F(Streams, FailuresAreToldByWhoWaits) {
  device_.compute_stream().enqueue([] { throw Error("a kernel failed"); });
  *staging_.as<int>() = 7;
  upload(compute_, used_, staging_);
  EXPECT_THROW(compute_.synchronize(), Error);
  EXPECT_EQ(fetched(used_), 7);
}

TEST_F(Streams, ACapturedGraphWaitsForNothing) {
  const auto event = device_.make_event();
  EmulatedStream& stream = device_.compute_stream();
  EXPECT_THROW((void)stream.capture([&] { stream.synchronize(); }), Error);
  EXPECT_THROW((void)stream.capture([&] { event->record(stream); }), Error);
  EXPECT_FALSE(stream.is_capturing());
}

/// y = x·w, whose inputs are prefetched while the passes before are still queued.
TEST(DeferredDevice, PrefetchedInputsKeepTheirOrder) {
  const auto backend =
      cuda::make_emulated_backend(std::make_unique<EmulatedDevice>(kDeferred, kDeferred), cpu_backend());
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {1, 2});
  const ValueId w = graph.add_constant("w", Tensor::of<float>({2, 1}, {1, 10}));
  graph.outputs = {graph.add("dense", std::make_shared<MatMul>(), {x, w})};
  Plan plan(graph, *backend);
  const void* const y = plan.keep_output(0);  // passes are only queued
  InputPrefetcher prefetcher(plan, 1);
  constexpr int kSteps = 6;
  std::array<float, kSteps> results{};
  const auto prefetch = [&](int step) {
    const std::array<float, 2> values{static_cast<float>(step), 1};
    const float* const inputs[] = {values.data()};
    prefetcher.prefetch(inputs);
  };
  prefetch(0);
  for (int step = 0; step < kSteps; ++step) {
    prefetcher.stage();
    plan.forward();
    backend->device()->download(&results[static_cast<size_t>(step)], y, sizeof(float));
    if (step + 1 < kSteps) prefetch(step + 1);
  }
  EXPECT_EQ(results[kSteps - 1], 0.0f) << "nothing has waited for the last step";
  backend->device()->synchronize();
  for (int step = 0; step < kSteps; ++step)
    EXPECT_EQ(results[static_cast<size_t>(step)], static_cast<float>(step + 10));
}

}  // namespace
}  // namespace graft

// A plan's passes allocate nothing from their second run on, in any precision: what allocates in a loop is slow in ways
// that no timing on a shared machine shows.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "runtime/cpu/cpu_backend.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/pool.h"
#include "runtime/ops/unary.h"
#include "runtime/passes/insert_quantisation.h"
#include "tests/runtime/run_operator.h"

#ifndef GRAFT_SANITIZED  // sanitizers keep their own allocator
namespace {
std::atomic<int64_t> allocations{0};

void* counted(size_t bytes, size_t alignment) {
  ++allocations;
  void* p = nullptr;
  if (posix_memalign(&p, std::max(alignment, sizeof(void*)), bytes > 0 ? bytes : 1) != 0) throw std::bad_alloc();
  return p;
}
}  // namespace

void* operator new(size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new[](size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new(size_t bytes, std::align_val_t alignment) { return counted(bytes, static_cast<size_t>(alignment)); }
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { std::free(p); }

namespace graft {
namespace {

/// A small residual network of what graft's own kernels serve, since oneDNN's allocate as they like: convolutions of
/// whole vectors of channels, strides, batch norms, a pool, a sum.
Graph network(bool trains, int64_t stride = 2) {
  Graph graph;
  int made = 0;
  const auto convolve = [&](ValueId x, int64_t out, int64_t kernel, int64_t step) {
    auto op = std::make_shared<Convolution>();
    const int64_t p = kernel / 2;
    op->window.kernel = {kernel, kernel};
    op->window.stride = {step, step};
    op->window.padding = {p, p, p, p};
    const std::string name = "c" + std::to_string(made++);
    const ValueId w =
        graph.add_constant(name + "w", random_tensor({out, graph.value(x).shape[1], kernel, kernel}, 3, -0.2f, 0.2f));
    graph.value(w).trainable = trains;
    const ValueId y = graph.add(name, op, {x, w});
    const auto parameter = [&](const char* what, float low, float high) {
      return graph.add_constant(name + what, random_tensor({out}, 4, low, high));
    };
    const ValueId scale = parameter("s", 0.5f, 1.5f), bias = parameter("b", -1, 1);
    graph.value(scale).trainable = graph.value(bias).trainable = trains;
    return graph.add(name + "n", std::make_shared<BatchNorm>(),
                     {y, scale, bias, parameter("m", -1, 1), parameter("v", 0.5f, 1.5f)});
  };
  const auto relu = [&](ValueId x) {
    auto op = std::make_shared<Unary>();
    op->kind = Unary::Kind::relu;
    return graph.add("r" + std::to_string(made++), op, {x});
  };
  const ValueId x = graph.add_input("x", DType::f32, {4, 16, 32, 32});
  auto pool = std::make_shared<MaxPool>();
  pool->window.kernel = {3, 3};
  pool->window.stride = {2, 2};
  pool->window.padding = {1, 1, 1, 1};
  ValueId y = graph.add("pool", pool, {relu(convolve(x, 32, stride == 1 ? 3 : 7, stride))});
  y = relu(graph.add("sum", make_binary(Binary::Kind::add), {convolve(relu(convolve(y, 32, 3, 1)), 32, 1, 1), y}));
  y = relu(convolve(y, 64, 3, stride));
  graph.outputs = {convolve(y, 32, 1, 1)};
  return graph;
}

template <typename Pass>
int64_t allocations_of(const Pass& pass) {
  pass();
  pass();
  const int64_t before = allocations;
  for (int i = 0; i < 3; ++i) pass();
  return allocations - before;
}

int64_t of_inference(const Graph& graph, const Backend& backend) {
  Plan plan = compile_inference(graph, {4}, backend);
  return allocations_of([&] { plan.forward(); });
}

int64_t of_training(const Graph& graph, const Backend& backend) {
  TrainingPlan training = compile_training(graph, {4}, backend);
  return allocations_of([&] {
    training.plan.forward();
    training.plan.backward();
    training.plan.refresh();
  });
}

TEST(Allocations, Float32) {
  // Strides other than of 1×1 are oneDNN's.
  EXPECT_EQ(of_inference(network(false, 1), cpu_backend()), 0);
  EXPECT_EQ(of_training(network(true, 1), cpu_backend()), 0);
}

TEST(Allocations, Bfloat16) {
  if (!bf16_cpu_backend()) GTEST_SKIP() << "this processor does not multiply bfloat16 numbers";
  EXPECT_EQ(of_inference(network(false), *bf16_cpu_backend()), 0);
  EXPECT_EQ(of_training(network(true), *bf16_cpu_backend()), 0);
}

TEST(Allocations, Bytes) {
  if (!cpu_backend().multiplies_bytes()) GTEST_SKIP() << "this processor does not multiply 8-bit integers";
  Graph graph = network(false);
  fold_batch_norm(graph);
  remove_dead_code(graph);
  const std::vector<size_t> layers = quantisable_layers(graph);
  std::map<ValueId, Steps> steps;
  for (const QuantisedValue& v : values_to_quantise(graph, layers)) steps[v.value] = steps_between(-4, 4);
  insert_quantisation(graph, layers, steps, {});
  EXPECT_EQ(of_inference(graph, cpu_backend()), 0);
}

}  // namespace
}  // namespace graft
#endif

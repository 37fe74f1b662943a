// A plan whose backend has a device: what is transferred, when, and what is replayed.
#include <gtest/gtest.h>

#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/cuda/column_sums.h"
#include "runtime/cuda/device_backend.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/gemm.h"
#include "runtime/plan/input_prefetcher.h"
#include "runtime/plan/plan.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

const Backend& device() { return cuda::emulated_backend(cpu_backend()); }

struct Dense {
  Graph graph;
  std::shared_ptr<Tensor> weight = std::make_shared<Tensor>(Tensor::of<float>({2, 2}, {1, 2, 3, 4}));
  Dense() {
    const ValueId x = graph.add_input("x", DType::f32, {1, 2}), w = graph.add_constant("w", weight);
    graph.value(w).trainable = true;
    graph.outputs = {graph.add("dense", std::make_shared<Gemm>(), {x, w})};
  }
};

void give(Plan& plan, size_t input, std::vector<float> values) {
  std::copy(values.begin(), values.end(), plan.input(input).as<float>());
}

TEST(DevicePlan, RepeatsWithFreshInputsAndRefreshedParameters) {
  Dense dense;
  Plan plan(dense.graph, device());
  for (int step = 0; step < 4; ++step) {  // run, captured, replayed
    dense.weight->data<float>()[0] = static_cast<float>(step);
    plan.refresh();
    give(plan, 0, {1, static_cast<float>(step)});
    plan.forward();
    const float* y = plan.output(0).as<float>();
    EXPECT_EQ(y[0], static_cast<float>(step) + 3.0f * static_cast<float>(step));
    EXPECT_EQ(y[1], 2 + 4.0f * static_cast<float>(step));
  }
}

TEST(DevicePlan, AParameterStaysAsItWasUntilRefresh) {
  Dense dense;
  Plan plan(dense.graph, device());
  dense.weight->data<float>()[0] = 100;
  give(plan, 0, {1, 0});
  plan.forward();
  EXPECT_EQ(plan.output(0).as<float>()[0], 1);
}

TEST(DevicePlan, PrefetchedInputsAreThoseOfTheNextPass) {
  Dense dense;
  Plan plan(dense.graph, device());
  InputPrefetcher prefetcher(plan, 1);
  std::vector<float> batch{1, 0};
  const float* const inputs[] = {batch.data()};
  prefetcher.prefetch(inputs);
  EXPECT_TRUE(prefetcher.pending());
  batch = {9, 9};  // it was copied
  for (int step = 0; step < 5; ++step) {
    prefetcher.stage();
    EXPECT_FALSE(prefetcher.pending());
    const std::vector<float> next{static_cast<float>(step + 2), 0};
    const float* const next_inputs[] = {next.data()};
    prefetcher.prefetch(next_inputs);  // as if the device were still at work on the present one
    plan.forward();
    EXPECT_EQ(plan.output(0).as<float>()[0], static_cast<float>(step + 1));
  }
}

TEST(DevicePlan, InputsOnTheDeviceAreReadThere) {
  Dense first, second;
  Plan maker(first.graph, device()), plan(second.graph, device());
  const void* const made[] = {maker.keep_output(0)};
  InputPrefetcher prefetcher(plan, 1);
  const float* const nothing[] = {nullptr};
  for (int step = 0; step < 3; ++step) {
    give(maker, 0, {static_cast<float>(step + 1), 2});
    maker.forward();
    prefetcher.prefetch(nothing, made);
    prefetcher.stage();
    plan.forward();
    EXPECT_EQ(plan.output(0).as<float>()[0],
              37.0f + 7.0f * static_cast<float>(step));  // (s + 1, 2) → (s + 7, 2s + 10) → 7s + 37
  }
}

TEST(DevicePlan, ReadsBoundInputs) {
  Dense dense;
  Plan plan(dense.graph, device());
  const float bound[2] = {10, 1};
  plan.bind_input(0, bound);
  plan.forward();
  EXPECT_EQ(plan.output(0).as<float>()[0], 13);
}

TEST(DevicePlan, OutputsKeptOnTheDeviceAreNotDownloaded) {
  Dense dense;
  Plan plan(dense.graph, device());
  give(plan, 0, {1, 0});
  auto* kept = static_cast<float*>(plan.keep_output(0));
  plan.output(0).as<float>()[0] = -5;
  plan.forward();
  EXPECT_EQ(kept[0], 1);  // the emulated device's memory can be looked at
  EXPECT_EQ(plan.output(0).as<float>()[0], -5);
}

TEST(DevicePlan, DrawsChangeWithTheStepAlsoWhenRepeated) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {1, 64});
  graph.outputs = {graph.add("drop", std::make_shared<Dropout>(), {x})};
  Plan here(graph, cpu_backend()), there(graph, device());
  for (uint64_t step = 0; step < 4; ++step) {
    give(here, 0, std::vector<float>(64, 1.0f));
    give(there, 0, std::vector<float>(64, 1.0f));
    here.forward({7, step});
    there.forward({7, step});
    EXPECT_TRUE(std::equal(here.output(0).as<float>(), here.output(0).as<float>() + 64, there.output(0).as<float>()))
        << step;
  }
}

/// Products are a library's on a GPU; the emulated one has none.
TEST(DevicePlan, OperatorsWithoutAKernelAreComputedByTheProcessor) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {2, 3});
  const ValueId matrix = graph.add_constant("matrix", Tensor::of<float>({3, 2}, {1, 2, 3, 0, 0, 1}));
  graph.outputs = {graph.add("product", std::make_shared<MatMul>(), {x, matrix})};
  Plan here(graph, cpu_backend()), there(graph, device());
  for (int run = 0; run < 3; ++run) {
    const std::vector<float> values{1, 2, static_cast<float>(4 + run), -1, 0, 5};
    give(here, 0, values);
    give(there, 0, values);
    here.forward();
    there.forward();
    for (int i = 0; i < 4; ++i) EXPECT_EQ(here.output(0).as<float>()[i], there.output(0).as<float>()[i]);
  }
}

struct Value {
  const float* x;
  int64_t channels;
  void operator()(int64_t row, int64_t c, float* out) const {
    out[0] = x[row * channels + c];
    out[1] = out[0] * out[0];
  }
};

TEST(ColumnSums, AddUpInPartsAndGroupsOfParts) {
  cuda::EmulatedStream emulated;
  const cuda::Launcher launcher({nullptr, &emulated}, 2, *cuda::emulated_backend(cpu_backend()).device(), nullptr);
  for (const auto& [rows, channels] : {std::pair<int64_t, int64_t>{1, 1}, {3, 70}, {40000, 3}, {5000, 1}, {200, 64}}) {
    const Tensor x = random_tensor({rows, channels}, 5);
    const cuda::ColumnSums sums(rows, channels, 2, launcher);
    std::vector<double> scratch(sums.scratch_bytes() / sizeof(double));
    const float* data = x.data<float>().data();
    sums.compute<2>(launcher, Value{data, channels}, scratch.data());
    for (int64_t c = 0; c < channels; ++c) {
      double sum = 0, squares = 0;
      for (int64_t row = 0; row < rows; ++row) {
        const auto v = static_cast<double>(data[row * channels + c]);
        sum += v;
        squares += v * v;
      }
      EXPECT_NEAR(sums.result(scratch.data())[c], sum, 1e-6 * static_cast<double>(rows) + 1e-6)
          << rows << " x " << channels;
      EXPECT_NEAR(sums.result(scratch.data())[channels + c], squares, 1e-6 * static_cast<double>(rows) + 1e-6);
    }
  }
}

}  // namespace
}  // namespace graft

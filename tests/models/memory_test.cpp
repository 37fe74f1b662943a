// Activations that are made again instead of kept change no bit of any gradient.
#include <gtest/gtest.h>

#include <cstring>

#include "models/registry.h"
#include "runtime/base/error.h"
#include "runtime/base/random.h"
#include "runtime/plan.h"

namespace graft {
namespace {

struct Case {
  const char* name;
  int64_t batch, side;
  double part;  // of the plain plan's memory
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

Graph all_trainable(const std::string& name) {
  ArchitectureOptions options;
  options.classes = 10;
  Graph graph = build_architecture(name, options);
  for (const Node& node : graph.nodes) {
    const size_t last = node.op->type() == "BatchNormalization" ? 3 : node.inputs.size();
    for (size_t i = 1; i < last; ++i)
      if (node.inputs[i] != kNoValue && graph.value(node.inputs[i]).constant && graph.value(node.inputs[i]).dtype == DType::f32) graph.value(node.inputs[i]).trainable = true;
  }
  return graph;
}

/// Two steps, so that a dropout's second mask counts too.
void run(TrainingPlan& training) {
  Plan& plan = training.plan;
  for (uint64_t step = 0; step < 2; ++step) {
    for (size_t i = 0; i < plan.input_count(); ++i) {
      Random random(mix(step, i));
      const View in = plan.input(i);
      for (int64_t k = 0; k < in.shape.elements(); ++k) in.as<float>()[k] = random.normal();
    }
    plan.forward({1, step});
    plan.backward({1, step});
  }
}

class Memory : public testing::TestWithParam<Case> {};

TEST_P(Memory, ItsLimitChangesNoGradient) {
  const Case& c = GetParam();
  const Graph graph = all_trainable(c.name);
  TrainingPlan plain = compile_training(graph, {c.batch, c.side, c.side}, cpu_backend());
  TrainingPlan small = compile_training(graph, {c.batch, c.side, c.side}, cpu_backend(), 0, {0, c.part});
  EXPECT_LE(static_cast<double>(small.plan.arena_bytes()), c.part * static_cast<double>(plain.plan.arena_bytes()));
  run(plain);
  run(small);
  ASSERT_EQ(plain.plan.output_count(), small.plan.output_count());
  for (size_t i = 0; i < plain.plan.output_count(); ++i) {
    const View a = plain.plan.output(i), b = small.plan.output(i);
    EXPECT_EQ(std::memcmp(a.data, b.data, static_cast<size_t>(a.shape.elements()) * sizeof(float)), 0) << "output " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, Memory,
                         testing::Values(Case{"resnet-cifar-20", 32, 32, 0.6}, Case{"mobilenet-v2", 16, 96, 0.55}, Case{"squeezenet-1.1", 16, 96, 0.6}, Case{"densenet-121", 8, 64, 0.8},
                                         Case{"resnet-18", 16, 96, 0.8}, Case{"googlenet", 8, 96, 0.7}),
                         [](const auto& c) {
                           std::string name = c.param.name;
                           std::replace_if(name.begin(), name.end(), [](char k) { return !std::isalnum(static_cast<unsigned char>(k)); }, '_');
                           return name;
                         });

TEST(MemoryLimit, SaysWhatBatchWouldFit) {
  const Graph graph = all_trainable("resnet-cifar-20");
  const auto bytes = compile_training(graph, {8, 32, 32}, cpu_backend(), 0, {0, 1}).plan.arena_bytes();
  try {
    compile_training(graph, {64, 32, 32}, cpu_backend(), 0, {bytes, 0});
    FAIL() << "64 pictures do not fit where 8 did";
  } catch (const Error& e) {
    const std::string text = e.what();
    const size_t at = text.find("--batch ");
    ASSERT_NE(at, std::string::npos) << text;
    const int64_t batch = std::stoll(text.substr(at + 8));
    EXPECT_GE(batch, 8);
    EXPECT_LT(batch, 64);
    EXPECT_LE(compile_training(graph, {batch, 32, 32}, cpu_backend(), 0, {bytes, 0}).plan.arena_bytes(), bytes);
  }
}

}  // namespace
}  // namespace graft

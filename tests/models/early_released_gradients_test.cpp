// Gradients that are taken in the midst of the pass are those that are found at its end, whatever then happens to their
// memory and their parameters.
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <vector>

#include "tests/backend.h"
#include "tests/models/two_steps.h"

namespace graft {
namespace {

struct Case {
  const char* name;
  int64_t batch, side;
  double part;  // of the memory that the plan takes without a limit; 0: no limit
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class EarlyReleasedGradients : public testing::TestWithParam<Case> {};

TEST_P(EarlyReleasedGradients, AreThoseThatAreKept) {
  if (test_backend().device()) GTEST_SKIP() << "a device keeps its gradients";
  const Case& c = GetParam();
  const Graph graph = all_trainable(c.name), spoilt = graph.independent_copy();
  TrainingPlan kept = compile_training(graph, {c.batch, c.side, c.side}, test_backend());
  TrainingPlan passing = compile_training(spoilt, {c.batch, c.side, c.side}, test_backend(), 0, {0, c.part},
                                          GradientLifetime::released_early);
  fill_inputs(kept.plan, 0);
  kept.plan.forward({1, 0});
  kept.plan.backward({1, 0});
  fill_inputs(passing.plan, 0);
  passing.plan.forward({1, 0});
  std::map<size_t, std::vector<float>> taken;
  passing.plan.backward({1, 0}, [&](size_t output) {
    const View v = passing.plan.output(output);
    const std::span<float> gradient(v.as<float>(), static_cast<size_t>(v.shape.elements()));
    EXPECT_TRUE(taken.emplace(output, std::vector<float>(gradient.begin(), gradient.end())).second)
        << "output " << output << " came twice";
    std::fill(gradient.begin(), gradient.end(), std::numeric_limits<float>::quiet_NaN());
    for (const auto& [tensor, of] : passing.gradients)
      if (of == output)
        std::fill(tensor->data<float>().begin(), tensor->data<float>().end(), std::numeric_limits<float>::quiet_NaN());
  });
  ASSERT_EQ(taken.size(), kept.gradients.size());
  for (const auto& [tensor, output] : kept.gradients) {
    const View v = kept.plan.output(output);
    EXPECT_EQ(std::memcmp(taken.at(output).data(), v.data, taken.at(output).size() * sizeof(float)), 0)
        << "output " << output;
  }
}

std::vector<Case> cases() {
  std::vector<Case> all{
      {"lenet5", 5, 32, 0}, {"alexnet", 2, 227, 0}, {"resnet-cifar-20", 8, 32, 0}, {"resnet-cifar-20", 32, 32, 0.7}};
#ifndef GRAFT_SANITIZED
  all.insert(all.end(), {{"mobilenet-v2", 4, 64, 0},
                         {"googlenet", 3, 64, 0},
                         {"densenet-121", 3, 64, 0},
                         {"resnet-50", 3, 64, 0},
                         {"squeezenet-1.1", 16, 96, 0.7}});
#endif
  return all;
}

INSTANTIATE_TEST_SUITE_P(Networks, EarlyReleasedGradients, testing::ValuesIn(cases()),
                         [](const auto& c) { return test_name(c.param.name) + (c.param.part > 0 ? "_limited" : ""); });

TEST(EarlyReleasedGradients, TakeLessMemoryWhereWeightsAreMany) {
  if (test_backend().device()) GTEST_SKIP() << "a device keeps its gradients";
  const Graph graph = all_trainable("alexnet");
  const auto bytes = [&](GradientLifetime gradients) {
    return compile_training(graph, {2, 227, 227}, test_backend(), 0, {}, gradients).plan.arena_bytes();
  };
  EXPECT_LT(static_cast<double>(bytes(GradientLifetime::released_early)),
            0.8 * static_cast<double>(bytes(GradientLifetime::kept)));
}

}  // namespace
}  // namespace graft

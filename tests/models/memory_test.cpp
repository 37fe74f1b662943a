// Activations that are made again instead of kept change no bit of any gradient.
#include <gtest/gtest.h>

#include <vector>

#include "runtime/core/error.h"
#include "tests/backend.h"
#include "tests/models/two_steps.h"

namespace graft {
namespace {

struct Case {
  const char* name;
  int64_t batch, side;
  double part;  // of the plain plan's memory
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class Memory : public testing::TestWithParam<Case> {};

TEST_P(Memory, ItsLimitChangesNoGradient) {
  const Case& c = GetParam();
  const Graph graph = all_trainable(c.name);
  TrainingPlan plain = compile_training(graph, {c.batch, c.side, c.side}, test_backend());
  TrainingPlan small = compile_training(graph, {c.batch, c.side, c.side}, test_backend(), 0, {0, c.part});
  EXPECT_LE(static_cast<double>(small.plan.arena_bytes()), c.part * static_cast<double>(plain.plan.arena_bytes()));
  take_two_steps(plain);
  take_two_steps(small);
  expect_same_bits(plain, small);
}

std::vector<Case> cases() {
  std::vector<Case> all{{"resnet-cifar-20", 32, 32, 0.6}, {"squeezenet-1.1", 16, 96, 0.6}};
#ifndef GRAFT_SANITIZED
  all.insert(all.end(), {{"mobilenet-v2", 16, 96, 0.55},
                         {"densenet-121", 8, 64, 0.8},
                         {"resnet-18", 16, 96, 0.8},
                         {"googlenet", 8, 96, 0.7}});
#endif
  return all;
}

INSTANTIATE_TEST_SUITE_P(Networks, Memory, testing::ValuesIn(cases()),
                         [](const auto& c) { return test_name(c.param.name); });

TEST(MemoryLimit, SaysWhatBatchWouldFit) {
  const Graph graph = all_trainable("resnet-cifar-20");
  const auto bytes = compile_training(graph, {8, 32, 32}, test_backend(), 0, {0, 1}).plan.arena_bytes();
  try {
    compile_training(graph, {64, 32, 32}, test_backend(), 0, {bytes, 0});
    FAIL() << "64 pictures do not fit where 8 did";
  } catch (const Error& e) {
    const std::string text = e.what();
    const size_t at = text.find("use batch ");
    ASSERT_NE(at, std::string::npos) << text;
    const int64_t batch = std::stoll(text.substr(at + 10));
    EXPECT_GE(batch, 8);
    EXPECT_LT(batch, 64);
    EXPECT_LE(compile_training(graph, {batch, 32, 32}, test_backend(), 0, {bytes, 0}).plan.arena_bytes(), bytes);
  }
}

}  // namespace
}  // namespace graft
